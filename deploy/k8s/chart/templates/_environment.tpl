{{- /* What all of Carillon's processes are told, as the data of a ConfigMap. */ -}}
{{- define "carillon.config" -}}
{{- $c := .Values.config -}}
CARILLON_PUBLIC_ORIGINS: {{ join "," $c.publicOrigins | quote }}
{{- with $c.apps }}
CARILLON_APPS: {{ join "," . | quote }}
{{- end }}
CARILLON_LANGUAGES: {{ join "," $c.languages | quote }}
CARILLON_LOG_LEVEL: {{ $c.logLevel | quote }}
{{- with $c.revision }}
CARILLON_REVISION: {{ . | quote }}
{{- end }}
CARILLON_BROKER_BELLS: {{ ternary "1" "0" $c.brokerBells | quote }}
CARILLON_INTERNAL_HOST: {{ $c.internalHost | quote }}
CARILLON_INTERNAL_PORT: {{ $c.internalPort | int | quote }}
CARILLON_DATABASE_POOL_CONNECTIONS: {{ $c.databasePoolConnections | int | quote }}
CARILLON_STATIC_ROOT: {{ $c.staticRoot | quote }}
{{- with $c.tokens.audience }}
CARILLON_TOKEN_AUDIENCE: {{ . | quote }}
{{- end }}
{{- with $c.tokens.issuer }}
CARILLON_TOKEN_ISSUER: {{ . | quote }}
{{- end }}
CARILLON_TOKEN_LIFETIME_SECONDS: {{ $c.tokens.lifetimeSeconds | int | quote }}
{{- with $c.tokens.publicKeys }}
CARILLON_TOKEN_PUBLIC_KEYS: {{ join "\n" . | quote }}
{{- end }}
{{- end -}}

{{- /* The same as a list, for a Job that runs before there is a ConfigMap. */ -}}
{{- define "carillon.configAsList" -}}
{{- range $name, $value := include "carillon.config" . | fromYaml }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end -}}

{{- /* Secrets that all processes need; takes root, and the Secret that holds them. */ -}}
{{- define "carillon.secretEnvironment" -}}
{{- $own := .secret -}}
- name: CARILLON_SECRET_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.existingSecret | default $own }}
      key: secret-key
- name: CARILLON_SECRET_KEY_FALLBACKS
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.existingSecret | default $own }}
      key: secret-key-fallbacks
      optional: true
- name: CARILLON_TOKEN_SECRETS
  valueFrom:
    secretKeyRef:
      name: {{ .root.Values.existingSecret | default $own }}
      key: token-secrets
      optional: true
- name: DATABASE_URL
  valueFrom:
    secretKeyRef:
      {{- if .root.Values.externalPostgresql.url }}
      name: {{ $own }}
      key: database-url
      {{- else }}
      name: {{ .root.Values.externalPostgresql.existingSecret }}
      key: {{ .root.Values.externalPostgresql.key }}
      {{- end }}
{{- end -}}

{{- /* BROKER_URL of a role, with the rights of that role alone; takes root and role. */ -}}
{{- define "carillon.brokerEnvironment" -}}
{{- $broker := .root.Values.externalRabbitmq -}}
{{- $account := index $broker .role -}}
{{- if $account.url -}}
- name: BROKER_URL
  valueFrom:
    secretKeyRef:
      name: {{ include "carillon.fullname" .root }}
      key: {{ .role }}-broker-url
{{- else if $account.urlKey -}}
- name: BROKER_URL
  valueFrom:
    secretKeyRef:
      name: {{ $account.existingSecret }}
      key: {{ $account.urlKey }}
{{- else -}}
# These two only make the third: the kubelet puts them in.
- name: BROKER_USERNAME
  valueFrom:
    secretKeyRef:
      name: {{ $account.existingSecret }}
      key: {{ $account.usernameKey }}
- name: BROKER_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ $account.existingSecret }}
      key: {{ $account.passwordKey }}
- name: BROKER_URL
  value: {{ printf "%s://$(BROKER_USERNAME):$(BROKER_PASSWORD)@%s:%d/%s" (ternary "amqps" "amqp" $broker.tls) (include "carillon.brokerHost" .root) (int $broker.port) $broker.vhost | quote }}
{{- end }}
{{- end -}}

{{- define "carillon.gatewayEnvironment" -}}
{{- $g := .Values.config.gateway -}}
{{- if $g.idFromPodName }}
- name: CARILLON_GATEWAY_ID
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
{{- end }}
- name: CARILLON_GATEWAY_HEAD_CHECK_SECONDS
  value: {{ $g.headCheckSeconds | quote }}
- name: CARILLON_GATEWAY_DATABASE_THREADS
  value: {{ $g.databaseThreads | int | quote }}
- name: CARILLON_GATEWAY_CONNECTIONS
  value: {{ $g.connections | int | quote }}
- name: CARILLON_GATEWAY_USER_CONNECTIONS
  value: {{ $g.userConnections | int | quote }}
- name: CARILLON_GATEWAY_MESSAGE_BYTES
  value: {{ $g.messageBytes | int | quote }}
- name: CARILLON_GATEWAY_PING_SECONDS
  value: {{ $g.pingSeconds | quote }}
- name: CARILLON_GATEWAY_PONG_SECONDS
  value: {{ $g.pongSeconds | quote }}
- name: CARILLON_GATEWAY_DRAIN_SECONDS
  value: {{ .Values.gateway.drain.seconds | int | quote }}
- name: CARILLON_GATEWAY_PROXIES
  value: {{ join "," .Values.config.proxies | quote }}
{{- end -}}

{{- define "carillon.webEnvironment" -}}
{{- $w := .Values.config.web -}}
- name: CARILLON_WEB_BIND
  value: "0.0.0.0:8000"
- name: CARILLON_WEB_WORKERS
  value: {{ $w.workers | int | quote }}
- name: CARILLON_WEB_THREADS
  value: {{ $w.threads | int | quote }}
- name: CARILLON_WEB_PROXIES
  value: {{ join "," .Values.config.proxies | quote }}
- name: CARILLON_API_WRITES_PER_MINUTE
  value: {{ $w.apiWritesPerMinute | int | quote }}
- name: CARILLON_API_KEY_WRITES_PER_MINUTE
  value: {{ $w.apiKeyWritesPerMinute | int | quote }}
- name: CARILLON_SERVER_API_CALLS_PER_MINUTE
  value: {{ $w.serverApiCallsPerMinute | int | quote }}
{{- end -}}

{{- define "carillon.nginxEnvironment" -}}
{{- $name := include "carillon.fullname" . -}}
- name: CARILLON_PUBLIC_ORIGINS
  value: {{ join "," .Values.config.publicOrigins | quote }}
- name: CARILLON_NGINX_WEB
  value: {{ $name }}-web:8000
# The Service's address stays, whoever is behind it: scaling never reloads nginx.
- name: CARILLON_NGINX_GATEWAYS
  value: {{ $name }}-gateway:8000
- name: CARILLON_STATIC_ROOT
  value: {{ .Values.config.staticRoot | quote }}
- name: CARILLON_INTERNAL_PORT
  value: {{ .Values.config.internalPort | int | quote }}
- name: CARILLON_NGINX_WORKERS
  value: {{ .Values.nginx.workers | int | quote }}
- name: CARILLON_NGINX_CONNECTIONS_PER_IP
  value: {{ .Values.nginx.connectionsPerIp | int | quote }}
- name: CARILLON_NGINX_HANDSHAKES_PER_SECOND
  value: {{ .Values.nginx.handshakesPerSecond | int | quote }}
- name: CARILLON_NGINX_PASSWORDS_PER_MINUTE
  value: {{ .Values.nginx.passwordsPerMinute | int | quote }}
{{- with .Values.nginx.proxies }}
- name: CARILLON_NGINX_PROXIES
  value: {{ join "," . | quote }}
{{- end }}
{{- if .Values.nginx.tls.existingSecret }}
- name: CARILLON_NGINX_TLS_CERTIFICATE
  value: /etc/carillon/tls/tls.crt
- name: CARILLON_NGINX_TLS_KEY
  value: /etc/carillon/tls/tls.key
{{- end }}
{{- end -}}

{{- /*
The ports of the database and the broker, each once: as their URLs say where they are ours to read,
else as the values say.
*/ -}}
{{- define "carillon.serverPorts" -}}
{{- $servers := list (list .Values.externalPostgresql.url .Values.externalPostgresql.port) -}}
{{- range $role := list "gateway" "web" "worker" -}}
{{- $servers = append $servers (list (index $.Values.externalRabbitmq $role).url $.Values.externalRabbitmq.port) -}}
{{- end -}}
{{- $usual := dict "postgres" 5432 "postgresql" 5432 "amqp" 5672 "amqps" 5671 -}}
{{- $ports := list -}}
{{- range $server := $servers -}}
{{- $url := first $server -}}
{{- if $url -}}
{{- $scheme := regexFind "^[a-z]+" $url -}}
{{- range regexReplaceAll "^[a-z]+://([^/]*@)?([^/?]*).*$" $url "${2}" | splitList "," -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" . | trimPrefix ":" | default (get $usual $scheme) | int) -}}
{{- end -}}
{{- else -}}
{{- $ports = append $ports (last $server | int) -}}
{{- end -}}
{{- end -}}
{{- $ports | uniq | toJson -}}
{{- end -}}
