{{- /*
What values.schema.json cannot say, or could not say in words: how values go together. All that is
wrong is told at once.
*/ -}}
{{- define "carillon.validate" -}}
{{- $wrong := concat
    (include "carillon.validate.safety" . | fromJsonArray)
    (include "carillon.validate.servers" . | fromJsonArray)
    (include "carillon.validate.ending" . | fromJsonArray)
    (include "carillon.validate.scaling" . | fromJsonArray)
    (include "carillon.validate.way" . | fromJsonArray)
    (include "carillon.validate.environment" . | fromJsonArray) -}}
{{- with $wrong }}
{{- fail (printf "\n%s\n" (join "\n" .)) }}
{{- end }}
{{- end -}}

{{- define "carillon.validate.safety" -}}
{{- $wrong := list -}}
{{- if .Values.config.demo -}}
{{- $wrong = append $wrong "config.demo is true: everybody knows the demo users' password, so a cluster never has them." -}}
{{- end -}}
{{- range $where, $image := dict "image" .Values.image "nginx.image" .Values.nginx.image "web.image" .Values.web.image "gateway.image" .Values.gateway.image "workers.interactive.image" .Values.workers.interactive.image "workers.bulk.image" .Values.workers.bulk.image "beat.image" .Values.beat.image "migrations.image" .Values.migrations.image -}}
{{- if eq ($image.tag | lower) "latest" -}}
{{- $wrong = append $wrong (printf "%s.tag is latest: nobody could say what runs, or go back; name a version." $where) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.existingSecret .Values.secrets.secretKey -}}
{{- $wrong = append $wrong "existingSecret and secrets.secretKey are both set: which of them is the key?" -}}
{{- end -}}
{{- if and (eq .Values.existingSecret (include "carillon.fullname" .)) (include "carillon.secretData" . | trim) -}}
{{- $wrong = append $wrong (printf "existingSecret is %s, as the chart's own Secret is called, which must hold your URLs: give yours another name." .Values.existingSecret) -}}
{{- end -}}
{{- /* Only a cluster serves this; whoever merely renders may look at the example. */ -}}
{{- if .Capabilities.APIVersions.Has "apiregistration.k8s.io/v1" -}}
{{- range .Values.config.publicOrigins -}}
{{- if regexMatch "\\.example\\.(org|com|net)(:[0-9]+)?$" . -}}
{{- $wrong = append $wrong (printf "config.publicOrigins has %s, which is an example: write what your users have in their address bar." .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $wrong | toJson -}}
{{- end -}}

{{- define "carillon.validate.servers" -}}
{{- $wrong := list -}}
{{- $p := .Values.externalPostgresql -}}
{{- if not (or $p.url $p.existingSecret) -}}
{{- $wrong = append $wrong "There is no database: name the Secret that holds DATABASE_URL in externalPostgresql.existingSecret, or set externalPostgresql.url." -}}
{{- end -}}
{{- range $role := list "gateway" "web" "worker" -}}
{{- $account := index $.Values.externalRabbitmq $role -}}
{{- if not (or $account.url $account.existingSecret) -}}
{{- $wrong = append $wrong (printf "There is no broker account for the role %s: name its Secret in externalRabbitmq.%s.existingSecret." $role $role) -}}
{{- else if and (not $account.url) (not $account.urlKey) (not (include "carillon.brokerHost" $)) -}}
{{- $wrong = append $wrong (printf "externalRabbitmq.%s has a user and a password, and there is no broker: set rabbitmqCluster.name or externalRabbitmq.host." $role) -}}
{{- end -}}
{{- with $account.url -}}
{{- if regexMatch "//guest:|:guest@" . -}}
{{- $wrong = append $wrong (printf "externalRabbitmq.%s.url uses the guest account: give Carillon its own users." $role) -}}
{{- end -}}
{{- if not (regexMatch "^amqps?://[^/%@:]+:[^/%@]+@[^/%@]+/[^/]+$" .) -}}
{{- $wrong = append $wrong (printf "externalRabbitmq.%s.url must look like amqp://user:password@host:5672/vhost, with letters and digits in the password." $role) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $connections := include "carillon.databaseConnections" . | fromJson -}}
{{- $allowed := div (mul 8 (int $p.maxConnections)) 10 -}}
{{- if gt (int $connections.all) $allowed -}}
{{- $wrong = append $wrong (printf "These values can take %d connections to PostgreSQL, and 0.8 of externalPostgresql.maxConnections are %d: have fewer pods, workers or threads, or a server that takes more." (int $connections.all) $allowed) -}}
{{- end -}}
{{- $wrong | toJson -}}
{{- end -}}

{{- /* What each is given between the wish that it ends and a SIGKILL. */ -}}
{{- define "carillon.validate.ending" -}}
{{- $wrong := list -}}
{{- $w := .Values.workers -}}
{{- range list
    (list "gateway" .Values.gateway (int .Values.gateway.drain.seconds) "gateway.drain.seconds")
    (list "nginx" .Values.nginx 60 "the time in which nginx lets sockets go")
    (list "web" .Values.web 25 "the time in which gunicorn lets requests end")
    (list "workers.interactive" $w.interactive 30 "the time in which Celery lets tasks end")
    (list "workers.bulk" $w.bulk 30 "the time in which Celery lets tasks end") -}}
{{- $name := index . 0 -}}
{{- $values := index . 1 -}}
{{- $sleep := int $values.lifecycle.preStopSleepSeconds -}}
{{- $needed := add $sleep (index . 2) 15 -}}
{{- if lt (int $values.terminationGracePeriodSeconds) $needed -}}
{{- $wrong = append $wrong (printf "%s.terminationGracePeriodSeconds is %d and must be %d at least: preStopSleepSeconds (%d), %s (%d), and 15 for the rest." $name (int $values.terminationGracePeriodSeconds) $needed $sleep (index . 3) (index . 2)) -}}
{{- end -}}
{{- end -}}
{{- $wrong | toJson -}}
{{- end -}}

{{- define "carillon.validate.scaling" -}}
{{- $wrong := list -}}
{{- range $name, $values := dict "nginx" .Values.nginx "web" .Values.web "gateway" .Values.gateway "workers.interactive" .Values.workers.interactive "workers.bulk" .Values.workers.bulk -}}
{{- if gt (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas) -}}
{{- $wrong = append $wrong (printf "%s.autoscaling.minReplicas is %d, more than maxReplicas, which is %d." $name (int $values.autoscaling.minReplicas) (int $values.autoscaling.maxReplicas)) -}}
{{- end -}}
{{- end -}}
{{- range $name, $values := dict "nginx" .Values.nginx "web" .Values.web "gateway" .Values.gateway "workers.interactive" .Values.workers.interactive "workers.bulk" .Values.workers.bulk -}}
{{- $none := list "0" "0%" -}}
{{- if and (has ($values.updateStrategy.maxSurge | toString) $none) (has ($values.updateStrategy.maxUnavailable | toString) $none) -}}
{{- $wrong = append $wrong (printf "%s.updateStrategy has neither maxSurge nor maxUnavailable: no pod could ever be replaced." $name) -}}
{{- end -}}
{{- if and $values.podDisruptionBudget.enabled (has ($values.podDisruptionBudget.maxUnavailable | toString) $none) -}}
{{- $wrong = append $wrong (printf "%s.podDisruptionBudget.maxUnavailable is %v: no node with one of its pods could ever be emptied." $name $values.podDisruptionBudget.maxUnavailable) -}}
{{- end -}}
{{- end -}}
{{- $a := .Values.gateway.autoscaling -}}
{{- if eq $a.mode "keda" -}}
{{- if not $a.keda.prometheusAddress -}}
{{- $wrong = append $wrong "gateway.autoscaling.mode is keda, and keda.prometheusAddress is empty: which Prometheus knows the connections?" -}}
{{- end -}}
{{- if not (or .Values.metrics.podMonitor.enabled $a.keda.query) -}}
{{- $wrong = append $wrong "gateway.autoscaling.mode is keda, and metrics.podMonitor is off: have gateways scraped, or say in keda.query how Prometheus names their connections." -}}
{{- end -}}
{{- end -}}
{{- if ne $a.mode "none" -}}
{{- $room := div (mul 95 (int .Values.config.gateway.connections)) 100 -}}
{{- if ge (int $a.targetConnectionsPerPod) $room -}}
{{- $wrong = append $wrong (printf "gateway.autoscaling.targetConnectionsPerPod is %d, and a gateway with config.gateway.connections %d takes nobody new from %d on: aim lower." (int $a.targetConnectionsPerPod) (int .Values.config.gateway.connections) $room) -}}
{{- end -}}
{{- end -}}
{{- $wrong | toJson -}}
{{- end -}}

{{- /* From a browser to a process. */ -}}
{{- define "carillon.validate.way" -}}
{{- $wrong := list -}}
{{- $n := .Values.nginx -}}
{{- range $name, $values := dict "ingress" .Values.ingress "gatewayApi" .Values.gatewayApi -}}
{{- if $values.enabled -}}
{{- if not $n.enabled -}}
{{- $wrong = append $wrong (printf "%s.enabled is true and nginx.enabled false: it is nginx that it sends requests to." $name) -}}
{{- end -}}
{{- if not $n.proxies -}}
{{- $wrong = append $wrong (printf "%s.enabled is true and nginx.proxies empty: all clients would have its address, and share the limits of one." $name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $values := dict "web" .Values.web "gateway" .Values.gateway -}}
{{- if and $n.enabled (not $values.enabled) -}}
{{- $wrong = append $wrong (printf "%s.enabled is false and nginx.enabled true: nginx does not start without what it sends requests to." $name) -}}
{{- end -}}
{{- end -}}
{{- if and $n.enabled $n.proxies (eq $n.service.type "LoadBalancer") (eq $n.service.externalTrafficPolicy "Cluster") -}}
{{- $wrong = append $wrong (printf "nginx.service is a LoadBalancer with externalTrafficPolicy Cluster, by which all clients come from addresses of nodes, and nginx.proxies believes %s: anybody might choose an address; set nginx.proxies to [], or externalTrafficPolicy to Local." (join ", " $n.proxies)) -}}
{{- end -}}
{{- if and .Values.gatewayApi.enabled (not .Values.gatewayApi.parentRefs) -}}
{{- $wrong = append $wrong "gatewayApi.enabled is true and gatewayApi.parentRefs empty: which Gateway should have the route?" -}}
{{- end -}}
{{- if has (int .Values.config.internalPort) (list 8000 8443) -}}
{{- $wrong = append $wrong (printf "config.internalPort is %d, where a public port is." (int .Values.config.internalPort)) -}}
{{- end -}}
{{- if $n.tls.existingSecret -}}
{{- range .Values.config.publicOrigins -}}
{{- if not (hasPrefix "https://" .) -}}
{{- $wrong = append $wrong (printf "nginx.tls is set, and config.publicOrigins has %s: with TLS there are https origins alone." .) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $wrong | toJson -}}
{{- end -}}

{{- /* Names that the chart sets itself: set twice, nobody could say which counts. */ -}}
{{- define "carillon.validate.environment" -}}
{{- $wrong := list -}}
{{- $taken := list "CARILLON_SECRET_KEY" "CARILLON_SECRET_KEY_FALLBACKS" "CARILLON_TOKEN_SECRETS" "DATABASE_URL" "BROKER_URL" "BROKER_USERNAME" "BROKER_PASSWORD" "PROMETHEUS_MULTIPROC_DIR" "CARILLON_GATEWAY_ID" -}}
{{- $taken = concat $taken (include "carillon.config" . | fromYaml | keys) -}}
{{- range list "carillon.gatewayEnvironment" "carillon.webEnvironment" "carillon.nginxEnvironment" -}}
{{- range include . $ | fromYamlArray -}}
{{- $taken = append $taken .name -}}
{{- end -}}
{{- end -}}
{{- range $where, $given := dict "extraEnv" .Values.extraEnv "nginx.env" .Values.nginx.env "web.env" .Values.web.env "gateway.env" .Values.gateway.env "workers.interactive.env" .Values.workers.interactive.env "workers.bulk.env" .Values.workers.bulk.env "beat.env" .Values.beat.env "migrations.env" .Values.migrations.env -}}
{{- range $given -}}
{{- if has .name (list "CARILLON_DEMO" "CARILLON_DEBUG") -}}
{{- $wrong = append $wrong (printf "%s sets %s: a cluster never has that." $where .name) -}}
{{- else if has .name $taken -}}
{{- $wrong = append $wrong (printf "%s sets %s, which has its own place in the values." $where .name) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- $wrong | toJson -}}
{{- end -}}
