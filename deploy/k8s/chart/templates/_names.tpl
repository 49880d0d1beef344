{{- define "carillon.name" -}}
{{- .Values.nameOverride | default .Chart.Name | trunc 38 | trimSuffix "-" -}}
{{- end -}}

{{- /* Short enough for `-interactive` and a pod's own suffix to come after it. */ -}}
{{- define "carillon.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 38 | trimSuffix "-" -}}
{{- else -}}
{{- $name := include "carillon.name" . -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 38 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 38 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* What a selector may hold: it can never be changed, so no version is in it. */ -}}
{{- define "carillon.selector" -}}
app.kubernetes.io/name: {{ include "carillon.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
{{- end -}}

{{- define "carillon.labels" -}}
{{ include "carillon.selector" . }}
app.kubernetes.io/part-of: carillon
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "carillon.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "carillon.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- /* The Secret with Django's key: yours, or the chart's. */ -}}
{{- define "carillon.secret" -}}
{{- .Values.existingSecret | default (include "carillon.fullname" .) -}}
{{- end -}}

{{- /* Takes root and image. */ -}}
{{- define "carillon.image" -}}
{{- $registry := .root.Values.image.registry | default .root.Values.global.imageRegistry -}}
{{- with $registry }}{{ trimSuffix "/" . }}/{{ end -}}
{{- .image.repository -}}
{{- if .image.digest -}}
@{{ .image.digest }}
{{- else -}}
:{{ .image.tag | default .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- /* The hosts of the public origins, each once. */ -}}
{{- define "carillon.hosts" -}}
{{- $hosts := list -}}
{{- range .Values.config.publicOrigins -}}
{{- $hosts = append $hosts (regexReplaceAll ":[0-9]+$" (regexReplaceAll "^https?://" . "") "") -}}
{{- end -}}
{{- $hosts | uniq | toJson -}}
{{- end -}}

{{- /* The broker's host; empty where the accounts' Secrets hold whole URLs. */ -}}
{{- define "carillon.brokerHost" -}}
{{- if .Values.externalRabbitmq.host -}}
{{- .Values.externalRabbitmq.host -}}
{{- else if .Values.rabbitmqCluster.name -}}
{{- printf "%s.%s.svc" .Values.rabbitmqCluster.name (.Values.rabbitmqCluster.namespace | default .Release.Namespace) -}}
{{- end -}}
{{- end -}}
