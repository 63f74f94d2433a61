-- Progressing until KubeRay has seen this very manifest; then what its conditions say. Without Recreate an
-- edit replaces no pod, and KubeRay does not note that it has seen it.
local hs = { status = "Progressing", message = "KubeRay has not looked at it yet" }
local status = obj.status
if status == nil then
  return hs
end
local strategy = obj.spec.upgradeStrategy or {}
local seen = status.observedGeneration or obj.metadata.generation
if strategy.type == "Recreate" and seen < obj.metadata.generation then
  hs.message = "KubeRay has not looked at the change yet"
  return hs
end

local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local function holds(name)
  return conditions[name] ~= nil and conditions[name].status == "True"
end
local function said(condition)
  return (condition.reason or "unknown reason") .. ": " .. (condition.message or "")
end

if holds("RayClusterSuspended") or status.state == "suspended" then
  return { status = "Suspended", message = "suspended" }
end
if holds("RayClusterSuspending") then
  hs.message = "its pods are being deleted"
  return hs
end
if holds("ReplicaFailure") then
  return { status = "Degraded", message = said(conditions.ReplicaFailure) }
end
if status.state == "failed" then
  return { status = "Degraded", message = status.reason or "KubeRay gives no reason" }
end

-- Reasons of a container that waits: nobody is at work on these, they need an edit.
local stuck = {
  CrashLoopBackOff = true, CreateContainerConfigError = true, CreateContainerError = true,
  ErrImageNeverPull = true, ErrImagePull = true, ImageInspectError = true,
  ImagePullBackOff = true, InvalidImageName = true, RunContainerError = true,
}
local head = conditions.HeadPodReady
if head ~= nil and head.status ~= "True" then
  if stuck[head.reason] then
    hs.status = "Degraded"
  end
  hs.message = "head: " .. said(head)
  return hs
end

-- The autoscaler starts and ends workers all the time: with it a ready head is all there is to wait for.
local ready, desired = status.readyWorkerReplicas or 0, status.desiredWorkerReplicas or 0
if not obj.spec.enableInTreeAutoscaling and ready < desired then
  hs.message = ready .. " of " .. desired .. " workers ready"
  return hs
end
if head == nil and status.state ~= "ready" then
  hs.message = "its head is not ready yet"
  return hs
end
return { status = "Healthy", message = "head and " .. ready .. " workers ready" }
