{{/* Pod templates, as `raykit render` writes them (manifests/pods.py); a test compares the two. */}}

{{- define "raykit.containerSecurity" -}}
allowPrivilegeEscalation: false
capabilities: {drop: [ALL]}
readOnlyRootFilesystem: true
runAsNonRoot: true
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "raykit.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "raykit.probes" -}}
startupProbe:
  httpGet: {path: /api/healthz, port: 52365}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 300
readinessProbe:
  httpGet: {path: /api/healthz, port: 52365}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 10
{{- end -}}

{{/* Fills .into with `ray start` options. */}}
{{- define "raykit.startParams" -}}
{{- if .head }}{{ $_ := set .into "dashboard-host" "0.0.0.0" }}{{ end -}}
{{- $_ := set .into "num-cpus" (.taskCpus | int64 | toString) -}}
{{- if .part.gpu }}{{ $_ := set .into "num-gpus" (.part.gpu | int64 | toString) }}{{ end -}}
{{- $_ := set .into "object-store-memory" (include "raykit.objectStore" .part) -}}
{{- end -}}

{{/* Fills .into with environment variables, sorted by name. */}}
{{- define "raykit.env" -}}
{{- $values := dict
  "RAY_COLOR_PREFIX" "0"
  "RAY_DATA_DISABLE_PROGRESS_BARS" "1"
  "RAY_STATE_SERVER_MAX_HTTP_REQUEST" "-1"
  "RAY_TQDM" "0"
  "RAY_USAGE_STATS_ENABLED" "0"
  "RAY_task_events_report_interval_ms" "200"
  "RAY_worker_niceness" "0" -}}
{{- if not .values.autoscaling.enabled -}}
{{- $values = merge $values (dict "RAY_SCHEDULER_EVENTS" "0" "RAY_enable_autoscaler_v2" "0") -}}
{{- end -}}
{{- range $name, $value := .part.env }}{{ $_ := set $values $name $value }}{{ end -}}
{{- if eq .values.auth.mode "disabled" }}{{ $_ := set $values "RAY_AUTH_MODE" "disabled" }}{{ end -}}
{{- $env := list -}}
{{- range $name := keys $values | sortAlpha -}}
{{- $env = append $env (dict "name" $name "value" (get $values $name)) -}}
{{- end -}}
{{- $_ := set .into "env" $env -}}
{{- end -}}

{{/* Fills .into with a pod template. .part: the head or a group; .group: its name in KubeRay. */}}
{{- define "raykit.podTemplate" -}}
{{- $values := .root.Values -}}
{{- $part := .part -}}
{{- $gpuResource := default "nvidia.com/gpu" $part.gpuResource -}}
{{- $extended := dict -}}
{{- if $part.gpu }}{{ $_ := set $extended $gpuResource ($part.gpu | int64 | toString) }}{{ end -}}
{{- $limits := merge (dict "memory" $part.memory) $extended -}}
{{- if $part.cpuLimit }}{{ $_ := set $limits "cpu" (toString $part.cpuLimit) }}{{ end -}}
{{- $cpu := default (max 1 (int64 .taskCpus) | toString) (toString (default "" $part.cpu)) -}}
{{- $requests := merge (dict "memory" $part.memory "cpu" $cpu) $extended -}}
{{- if $part.ephemeralStorage -}}
{{- $_ := set $limits "ephemeral-storage" $part.ephemeralStorage -}}
{{- $_ := set $requests "ephemeral-storage" $part.ephemeralStorage -}}
{{- end -}}
{{- $ports := list (dict "name" "metrics" "containerPort" 8080 "protocol" "TCP") -}}
{{- if .head -}}
{{- $ports = concat (list
  (dict "name" "gcs-server" "containerPort" 6379 "protocol" "TCP")
  (dict "name" "dashboard" "containerPort" 8265 "protocol" "TCP")) $ports -}}
{{- end -}}
{{- $container := dict
  "name" (ternary "ray-head" "ray-worker" .head)
  "image" $values.image
  "imagePullPolicy" $values.imagePullPolicy
  "ports" $ports
  "resources" (dict "limits" $limits "requests" $requests)
  "securityContext" (include "raykit.containerSecurity" . | fromYaml)
  "volumeMounts" (list
    (dict "name" "shared-memory" "mountPath" "/dev/shm")
    (dict "name" "tmp" "mountPath" "/tmp")) -}}
{{- include "raykit.env" (dict "values" $values "part" $part "into" $container) -}}
{{- $container = merge $container (include "raykit.probes" . | fromYaml) -}}
{{- $tmp := default "10Gi" $part.tmpStorage -}}
{{- $volumes := list
  (dict "name" "shared-memory" "emptyDir" (dict "medium" "Memory" "sizeLimit" (include "raykit.sharedMemory" $part)))
  (dict "name" "tmp" "emptyDir" (dict "sizeLimit" $tmp)) -}}
{{- if and .head $values.autoscaling.enabled -}}
{{- $volumes = append $volumes (dict "name" "ray-logs" "emptyDir" (dict "sizeLimit" $tmp)) -}}
{{- $volumes = append $volumes (dict "name" "autoscaler-token" "projected" (dict "sources" (list
  (dict "serviceAccountToken" (dict "path" "token" "expirationSeconds" 3607))
  (dict "configMap" (dict "name" "kube-root-ca.crt" "items" (list (dict "key" "ca.crt" "path" "ca.crt"))))))) -}}
{{- end -}}
{{- $pod := dict
  "automountServiceAccountToken" false
  "enableServiceLinks" false
  "securityContext" (include "raykit.podSecurity" . | fromYaml)
  "terminationGracePeriodSeconds" 60
  "containers" (list $container)
  "volumes" $volumes -}}
{{- if $values.autoscaling.enabled }}{{ $_ := set $pod "restartPolicy" "Never" }}{{ end -}}
{{- if $values.pullSecrets -}}
{{- $secrets := list -}}
{{- range $values.pullSecrets }}{{ $secrets = append $secrets (dict "name" .) }}{{ end -}}
{{- $_ := set $pod "imagePullSecrets" $secrets -}}
{{- end -}}
{{- if $part.priorityClass }}{{ $_ := set $pod "priorityClassName" $part.priorityClass }}{{ end -}}
{{- if $part.serviceAccount }}{{ $_ := set $pod "serviceAccountName" $part.serviceAccount }}{{ end -}}
{{- if $part.nodeSelector }}{{ $_ := set $pod "nodeSelector" $part.nodeSelector }}{{ end -}}
{{- if $part.affinity }}{{ $_ := set $pod "affinity" $part.affinity }}{{ end -}}
{{- $tolerations := list -}}
{{- $known := list -}}
{{- range $part.tolerations -}}
{{- $one := merge (dict "operator" (default "Equal" .operator)) (omit . "tolerationSeconds") -}}
{{- if hasKey . "tolerationSeconds" }}{{ $_ := set $one "tolerationSeconds" (int64 .tolerationSeconds) }}{{ end -}}
{{- $tolerations = append $tolerations $one -}}
{{- $known = append $known (default "" .key) -}}
{{- end -}}
{{- if and $part.gpu (not (has $gpuResource $known)) -}}
{{- $tolerations = append $tolerations (dict "key" $gpuResource "operator" "Exists" "effect" "NoSchedule") -}}
{{- end -}}
{{- if $tolerations }}{{ $_ := set $pod "tolerations" $tolerations }}{{ end -}}
{{- if $part.topologySpread -}}
{{- $spread := list -}}
{{- $selector := dict "matchLabels" (dict "ray.io/cluster" .root.Release.Name "ray.io/group" .group) -}}
{{- range $part.topologySpread -}}
{{- $spread = append $spread (dict
  "maxSkew" (int64 (default 1 .maxSkew))
  "topologyKey" (default "kubernetes.io/hostname" .topologyKey)
  "whenUnsatisfiable" (default "ScheduleAnyway" .whenUnsatisfiable)
  "labelSelector" $selector) -}}
{{- end -}}
{{- $_ := set $pod "topologySpreadConstraints" $spread -}}
{{- end -}}
{{- $labels := dict -}}
{{- include "raykit.labels" (dict "root" .root "into" $labels) -}}
{{- $_ := set .into "metadata" (dict "labels" $labels) -}}
{{- $_ := set .into "spec" $pod -}}
{{- end -}}
