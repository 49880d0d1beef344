{{- define "carillon.mostPods" -}}
{{- if eq (dig "mode" "none" (.autoscaling | default dict)) "none" -}}
{{- .replicas | int -}}
{{- else -}}
{{- .autoscaling.maxReplicas | int -}}
{{- end -}}
{{- end -}}

{{- /*
How many connections to PostgreSQL these values can take at most, by component and in all, as JSON.
While a rollout goes on there are old pods and new ones. One of each pod is its exporter's, but a
gateway's and beat's; Celery's main process has one, too.
*/ -}}
{{- define "carillon.databaseConnections" -}}
{{- $c := .Values.config -}}
{{- $w := .Values.workers -}}
{{- $each := dict
    "gateway" (add 1 (int $c.gateway.databaseThreads))
    "web" (add 1 (mul (int $c.web.workers) (min (int $c.web.threads) (int $c.databasePoolConnections))))
    "worker" (add 2 (int $w.interactive.concurrency))
    "bulk" (add 2 (int $w.bulk.concurrency)) -}}
{{- $parts := dict -}}
{{- $all := 0 -}}
{{- range $name, $values := dict "gateway" .Values.gateway "web" .Values.web "worker" $w.interactive "bulk" $w.bulk -}}
{{- if $values.enabled -}}
{{- $pods := include "carillon.mostPods" $values | int -}}
{{- $most := mul 2 $pods (index $each $name) -}}
{{- $_ := set $parts $name (printf "2 x %d pods x %d = %d" $pods (index $each $name) $most) -}}
{{- $all = add $all $most -}}
{{- end -}}
{{- end -}}
{{- $_ := set $parts "beat and migrations" "3" -}}
{{- dict "parts" $parts "all" (add 3 $all) | toJson -}}
{{- end -}}
