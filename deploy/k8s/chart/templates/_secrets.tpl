{{- /* What the chart's own Secret holds, in base64; nothing where all is in Secrets of yours. */ -}}
{{- define "carillon.secretData" -}}
{{- if not .Values.existingSecret }}
secret-key: {{ include "carillon.secretKey" . | b64enc }}
{{- with .Values.secrets.secretKeyFallbacks }}
secret-key-fallbacks: {{ join "," . | b64enc }}
{{- end }}
{{- with .Values.secrets.tokenSecrets }}
token-secrets: {{ join "," . | b64enc }}
{{- end }}
{{- end }}
{{- with .Values.externalPostgresql.url }}
database-url: {{ . | b64enc }}
{{- end }}
{{- range $role := list "gateway" "web" "worker" }}
{{- with (index $.Values.externalRabbitmq $role).url }}
{{ $role }}-broker-url: {{ . | b64enc }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* The key that is given; else the one that the cluster has; else a new one, the same for all who ask. */ -}}
{{- define "carillon.secretKey" -}}
{{- if not .Values.secrets.secretKey -}}
{{- $kept := lookup "v1" "Secret" .Release.Namespace (include "carillon.fullname" .) | default dict -}}
{{- $key := dig "data" "secret-key" "" $kept | b64dec | default (randAlphaNum 50) -}}
{{- $_ := set .Values.secrets "secretKey" $key -}}
{{- end -}}
{{- .Values.secrets.secretKey -}}
{{- end -}}
