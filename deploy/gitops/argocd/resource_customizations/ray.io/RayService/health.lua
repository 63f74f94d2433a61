local hs = { status = "Progressing", message = "KubeRay has not looked at it yet" }
local status = obj.status
if status == nil then
  return hs
end
if status.observedGeneration ~= nil and status.observedGeneration < obj.metadata.generation then
  hs.message = "KubeRay has not looked at the change yet"
  return hs
end
local conditions = {}
for _, condition in ipairs(status.conditions or {}) do
  conditions[condition.type] = condition
end
local ready = conditions.Ready
if ready == nil then
  hs.message = "not ready yet"
  return hs
end
hs.message = (ready.reason or "unknown reason") .. ": " .. (ready.message or "")
if ready.reason == "InitializingTimeout" or ready.reason == "ValidationFailed" then
  hs.status = "Degraded"
elseif ready.status == "True" then
  local upgrade = conditions.UpgradeInProgress
  if upgrade ~= nil and upgrade.status == "True" then
    hs.message = "an upgrade is under way: " .. (upgrade.message or "")
  else
    hs.status = "Healthy"
  end
end
return hs
