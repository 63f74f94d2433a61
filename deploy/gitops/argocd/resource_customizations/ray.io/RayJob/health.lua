-- A job is healthy once it has succeeded: a later sync wave waits for it.
local status = obj.status
local deployment = status and status.jobDeploymentStatus or ""
local job = status and status.jobStatus or ""
local message = status and status.message or ""

if job == "FAILED" or job == "STOPPED" then
  return { status = "Degraded", message = "ended as " .. job .. ": " .. message }
end
if deployment == "Failed" or deployment == "ValidationFailed" then
  return { status = "Degraded", message = (status.reason or deployment) .. ": " .. message }
end
if deployment == "Complete" and job == "SUCCEEDED" then
  return { status = "Healthy", message = "succeeded" }
end
if deployment == "Suspended" then
  return { status = "Suspended", message = "suspended" }
end
local words = deployment == "" and "KubeRay has not looked at it yet" or deployment
return { status = "Progressing", message = job == "" and words or words .. ", job " .. job }
