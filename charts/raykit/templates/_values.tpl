{{/* Small pieces: quantities, words for a shell, hashes. */}}

{{/* Bytes of a size such as 1536Mi or 2Gi. */}}
{{- define "raykit.bytes" -}}
{{- $number := int64 (regexFind "^[0-9]+" .) -}}
{{- if hasSuffix "Gi" . -}}{{ mul $number 1073741824 }}{{- else -}}{{ mul $number 1048576 }}{{- end -}}
{{- end -}}

{{/* Size of /dev/shm: as given, or 30 % of the memory in whole Mi. */}}
{{- define "raykit.sharedMemory" -}}
{{- if .sharedMemory -}}{{ .sharedMemory }}
{{- else -}}{{ div (div (mul (int64 (include "raykit.bytes" .memory)) 3) 10) 1048576 }}Mi
{{- end -}}
{{- end -}}

{{/* Size of Ray's object store in bytes: 90 % of /dev/shm. */}}
{{- define "raykit.objectStore" -}}
{{ div (mul (int64 (include "raykit.bytes" (include "raykit.sharedMemory" .))) 9) 10 }}
{{- end -}}

{{/* One word, quoted for the submitter's shell. */}}
{{- define "raykit.word" -}}
{{- if regexMatch "^[A-Za-z0-9_@%+=:,./-]+$" . -}}{{ . }}
{{- else -}}'{{ . | replace "'" "'\"'\"'" }}'
{{- end -}}
{{- end -}}

{{- define "raykit.words" -}}
{{- $quoted := list -}}
{{- range . }}{{ $quoted = append $quoted (include "raykit.word" .) }}{{ end -}}
{{ join " " $quoted }}
{{- end -}}

{{/* Labels of every object: a dict is filled, since a template can only return text. */}}
{{- define "raykit.labels" -}}
{{- $_ := set .into "app.kubernetes.io/instance" .root.Release.Name -}}
{{- $_ := set .into "app.kubernetes.io/managed-by" "raykit" -}}
{{- $_ := set .into "raykit.io/cluster" .root.Release.Name -}}
{{- end -}}
