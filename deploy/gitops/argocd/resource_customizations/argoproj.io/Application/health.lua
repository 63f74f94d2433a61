-- Argo CD has none for its own Applications, and sync waves between them wait for health.
local hs = { status = "Progressing", message = "" }
if obj.status ~= nil and obj.status.health ~= nil then
  hs.status = obj.status.health.status or hs.status
  hs.message = obj.status.health.message or ""
end
return hs
