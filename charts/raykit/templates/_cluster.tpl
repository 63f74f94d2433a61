{{/* Fills .into with a RayCluster's spec. */}}
{{- define "raykit.cluster" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]*[a-z0-9])?$" $root.Release.Name) }}{{ fail (printf "the release's name is the cluster's: %q must start with a letter and hold lower-case letters, digits and inner dashes only" $root.Release.Name) }}{{ end -}}
{{- if not $values.image }}{{ fail "image is needed: the image of the Ray pods, such as the one that `raykit image push` prints" }}{{ end -}}
{{- $scaled := $values.autoscaling.enabled -}}
{{- $auth := dict "mode" $values.auth.mode -}}
{{- if $values.auth.secretName }}{{ $_ := set $auth "secretName" $values.auth.secretName }}{{ end -}}
{{- $headCpus := int64 (default 0 $values.head.taskCpus) -}}
{{- if and $values.workers (gt $headCpus 0) }}{{ fail "head.taskCpus must be 0 or left out (null): with workers the head takes no tasks" }}{{ end -}}
{{- if and (not $values.workers) (lt $headCpus 1) }}{{ fail "head.taskCpus is required, at least 1: without workers only the head can take tasks" }}{{ end -}}
{{- $headParams := dict -}}
{{- include "raykit.startParams" (dict "head" true "part" $values.head "taskCpus" $headCpus "into" $headParams) -}}
{{- $headTemplate := dict -}}
{{- include "raykit.podTemplate" (dict "root" $root "head" true "group" "headgroup" "part" $values.head "taskCpus" $headCpus "into" $headTemplate) -}}
{{- $_ := set .into "rayVersion" $values.rayVersion -}}
{{- $_ := set .into "authOptions" $auth -}}
{{- $_ := set .into "upgradeStrategy" (dict "type" $values.upgrade) -}}
{{- $_ := set .into "headGroupSpec" (dict "rayStartParams" $headParams "template" $headTemplate) -}}
{{- if $scaled -}}
{{- $_ := set .into "enableInTreeAutoscaling" true -}}
{{- $memory := default "512Mi" $values.autoscaling.memory -}}
{{- $options := dict
  "version" "v2"
  "idleTimeoutSeconds" (int64 (default 60 $values.autoscaling.idleTimeoutSeconds))
  "imagePullPolicy" $values.imagePullPolicy
  "resources" (dict
    "limits" (dict "memory" $memory)
    "requests" (dict "cpu" (toString (default "100m" $values.autoscaling.cpu)) "memory" $memory))
  "securityContext" (include "raykit.containerSecurity" . | fromYaml)
  "volumeMounts" (list
    (dict "name" "tmp" "mountPath" "/tmp")
    (dict "name" "autoscaler-token" "mountPath" "/var/run/secrets/kubernetes.io/serviceaccount" "readOnly" true)) -}}
{{- if $values.autoscaling.upscalingMode }}{{ $_ := set $options "upscalingMode" $values.autoscaling.upscalingMode }}{{ end -}}
{{- if eq $values.auth.mode "disabled" -}}
{{- $_ := set $options "env" (list (dict "name" "RAY_AUTH_MODE" "value" "disabled")) -}}
{{- end -}}
{{- $_ := set .into "autoscalerOptions" $options -}}
{{- end -}}
{{- if $values.workers -}}
{{- $groups := list -}}
{{- range $values.workers -}}
{{- $cpus := int64 (default 1 .taskCpus) -}}
{{- $wanted := 1 -}}
{{- if hasKey . "replicas" }}{{ $wanted = int64 .replicas }}{{ end -}}
{{- $most := $wanted -}}
{{- if hasKey . "maxReplicas" }}{{ $most = int64 .maxReplicas }}{{ end -}}
{{- $least := int64 (default 0 .minReplicas) -}}
{{- if and $scaled (hasKey . "replicas") }}{{ fail (printf "workers %s: replicas is the autoscaler's: give minReplicas and maxReplicas" .name) }}{{ end -}}
{{- if and $scaled (not (hasKey . "maxReplicas")) }}{{ fail (printf "workers %s: maxReplicas is required with autoscaling" .name) }}{{ end -}}
{{- if gt $least $most }}{{ fail (printf "workers %s: minReplicas %d is above maxReplicas %d" .name $least $most) }}{{ end -}}
{{- if and (not $scaled) (or (lt $wanted $least) (gt $wanted $most)) }}{{ fail (printf "workers %s: replicas %d is not between %d and %d" .name $wanted $least $most) }}{{ end -}}
{{- $params := dict -}}
{{- include "raykit.startParams" (dict "head" false "part" . "taskCpus" $cpus "into" $params) -}}
{{- $template := dict -}}
{{- include "raykit.podTemplate" (dict "root" $root "head" false "group" .name "part" . "taskCpus" $cpus "into" $template) -}}
{{- $group := dict
  "groupName" .name
  "minReplicas" $least
  "maxReplicas" $most
  "numOfHosts" 1
  "rayStartParams" $params
  "template" $template -}}
{{- $_ := set $group "replicas" (ternary $least $wanted $scaled) -}}
{{- if .idleTimeoutSeconds }}{{ $_ := set $group "idleTimeoutSeconds" (int64 .idleTimeoutSeconds) }}{{ end -}}
{{- if ne $values.kuberay "1.6.2" }}{{ $_ := set $group "priority" 0 }}{{ end -}}
{{- $groups = append $groups $group -}}
{{- end -}}
{{- $_ := set .into "workerGroupSpecs" $groups -}}
{{- end -}}
{{- end -}}
