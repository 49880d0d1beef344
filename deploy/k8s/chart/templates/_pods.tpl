{{- define "carillon.podSecurity" -}}
runAsNonRoot: true
{{- range $name, $value := .Values.securityContext }}
{{ $name }}: {{ $value | int }}
{{- end }}
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "carillon.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- /*
One probe; takes path, port and values. Startup asks /livez, not /readyz: a database that is away
when a pod starts is waited for, and restarting whoever waits would help nobody.
*/ -}}
{{- define "carillon.probe" -}}
httpGet:
  path: {{ .path }}
  port: {{ .port }}
periodSeconds: {{ .values.periodSeconds | int }}
timeoutSeconds: {{ .values.timeoutSeconds | int }}
failureThreshold: {{ .values.failureThreshold | int }}
{{- end -}}

{{- define "carillon.probes" -}}
startupProbe:
  {{- include "carillon.probe" (dict "path" "/livez" "port" "internal" "values" .probes.startup) | nindent 2 }}
readinessProbe:
  {{- include "carillon.probe" (dict "path" .ready "port" "internal" "values" .probes.readiness) | nindent 2 }}
livenessProbe:
  {{- include "carillon.probe" (dict "path" "/livez" "port" "internal" "values" .probes.liveness) | nindent 2 }}
{{- end -}}

{{- define "carillon.scheduling" -}}
{{- $s := .values.scheduling -}}
{{- with $s.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $s.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $s.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $s.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if and $s.topologySpread $s.topologySpread.enabled }}
topologySpreadConstraints:
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - maxSkew: {{ $s.topologySpread.maxSkew | int }}
    topologyKey: {{ . }}
    whenUnsatisfiable: {{ $s.topologySpread.whenUnsatisfiable }}
    labelSelector:
      matchLabels:
        {{- include "carillon.selector" $ | nindent 8 }}
    # Each version by itself, or a rollout would crowd the new pods.
    matchLabelKeys: [pod-template-hash]
  {{- end }}
{{- end }}
{{- end -}}

{{- /*
A Deployment of one of the components; takes root, component, values, and in `spec` what makes it
that one:
  command   what the image's entrypoint becomes; without one, what it becomes by itself
  env       entries, as YAML
  django    whether it is a process of Carillon, with its configuration and secrets
  broker    the role whose account it has
  samples   whether several processes of it share their metrics through files
  shared    whether it wants shared memory
  public    the ports that others reach beside the internal one: name -> number
  ready     the path of readiness
*/ -}}
{{- define "carillon.deployment" -}}
{{- $root := .root -}}
{{- $c := .values -}}
{{- $spec := .spec -}}
{{- $name := printf "%s-%s" (include "carillon.fullname" $root) .component -}}
{{- $who := dict "root" $root "component" .component -}}
{{- $mode := dig "mode" "none" ($c.autoscaling | default dict) -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "carillon.labels" $who | nindent 4 }}
spec:
  {{- if eq $mode "none" }}
  replicas: {{ $c.replicas | int }}
  {{- end }}
  revisionHistoryLimit: 5
  {{- with $c.minReadySeconds }}
  minReadySeconds: {{ . | int }}
  {{- end }}
  {{- if $c.updateStrategy }}
  strategy:
    type: RollingUpdate
    rollingUpdate:
      maxSurge: {{ $c.updateStrategy.maxSurge }}
      maxUnavailable: {{ $c.updateStrategy.maxUnavailable }}
  {{- else }}
  strategy:
    type: Recreate
  {{- end }}
  selector:
    matchLabels:
      {{- include "carillon.selector" $who | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "carillon.selector" $who | nindent 8 }}
        {{- with merge (deepCopy $c.labels) $root.Values.commonLabels }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      annotations:
        kubectl.kubernetes.io/default-container: {{ .component }}
        {{- if $spec.django }}
        # Whoever reads them at start is started again when they change.
        checksum/config: {{ include "carillon.config" $root | sha256sum }}
        {{- with include "carillon.secretData" $root }}
        checksum/secret: {{ . | sha256sum }}
        {{- end }}
        {{- end }}
        {{- with $c.annotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "carillon.serviceAccount" $root }}
      automountServiceAccountToken: false
      # Dozens of variables with the names of Services, which nobody reads.
      enableServiceLinks: false
      {{- with $root.Values.imagePullSecrets }}
      imagePullSecrets:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      terminationGracePeriodSeconds: {{ $c.terminationGracePeriodSeconds | int }}
      securityContext:
        {{- include "carillon.podSecurity" $root | nindent 8 }}
      {{- with include "carillon.scheduling" (dict "root" $root "component" .component "values" $c) | trim }}
      {{- . | nindent 6 }}
      {{- end }}
      {{- if and $spec.django (eq $root.Values.migrations.mode "initContainer") }}
      initContainers:
        - name: migrations
          {{- include "carillon.migrationContainer" (dict "root" $root "command" (list "python" "-c" ($root.Files.Get "files/migrate.py" | trim)) "secret" (include "carillon.fullname" $root)) | nindent 10 }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "carillon.image" (dict "root" $root "image" $c.image) }}
          imagePullPolicy: {{ $root.Values.image.pullPolicy }}
          securityContext:
            {{- include "carillon.containerSecurity" $root | nindent 12 }}
          {{- with concat ($spec.command | default list) $c.args }}
          # Not `command`: the image's entrypoint empties the folder of metrics first.
          args:
            {{- toYaml . | nindent 12 }}
          {{- end }}
          ports:
            {{- range $port, $number := $spec.public }}
            - name: {{ $port }}
              containerPort: {{ $number }}
            {{- end }}
            - name: internal
              containerPort: {{ $root.Values.config.internalPort | int }}
          {{- if $spec.django }}
          envFrom:
            - configMapRef:
                name: {{ include "carillon.fullname" $root }}
          {{- end }}
          env:
            {{- if $spec.django }}
            {{- include "carillon.secretEnvironment" (dict "root" $root "secret" (include "carillon.fullname" $root)) | nindent 12 }}
            {{- include "carillon.brokerEnvironment" (dict "root" $root "role" $spec.broker) | nindent 12 }}
            {{- end }}
            {{- if $spec.samples }}
            - name: PROMETHEUS_MULTIPROC_DIR
              value: /run/carillon/metrics
            {{- end }}
            {{- with $spec.env }}
            {{- . | trim | nindent 12 }}
            {{- end }}
            {{- if $spec.django }}
            {{- with $root.Values.extraEnv }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
            {{- end }}
            {{- with $c.env }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          {{- include "carillon.probes" (dict "probes" $c.probes "ready" $spec.ready) | nindent 10 }}
          {{- with int $c.lifecycle.preStopSleepSeconds }}
          lifecycle:
            preStop:
              exec:
                # Not the `sleep` handler: Kubernetes before 1.30 does not know it.
                command: [sleep, {{ . | quote }}]
          {{- end }}
          resources:
            {{- toYaml $c.resources | nindent 12 }}
          volumeMounts:
            - name: tmp
              mountPath: /tmp
            {{- if $spec.django }}
            - name: run
              mountPath: /run/carillon
            {{- end }}
            {{- if $spec.shared }}
            - name: shared-memory
              mountPath: /dev/shm
            {{- end }}
            {{- with $spec.mounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
            {{- with $c.volumeMounts }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
        {{- with $c.sidecars }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      volumes:
        - name: tmp
          emptyDir: {}
        {{- if $spec.django }}
        - name: run
          emptyDir:
            medium: Memory
            # gunicorn's processes are replaced after 2,000 requests, and each leaves its counters.
            sizeLimit: 256Mi
        {{- end }}
        {{- if $spec.shared }}
        - name: shared-memory
          emptyDir:
            medium: Memory
            sizeLimit: 16Mi
        {{- end }}
        {{- with $spec.volumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- with $c.volumes }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- if and $spec.django (eq $root.Values.migrations.mode "initContainer") }}
        {{- range $volume := $root.Values.migrations.volumes }}
        {{- /* The service may have it, too. */}}
        {{- if not (has $volume $c.volumes) }}
        {{- list $volume | toYaml | nindent 8 }}
        {{- end }}
        {{- end }}
        {{- end }}
{{- end -}}

{{- /* What migrates, as an init container or in a Job; takes root, command and secret. */ -}}
{{- define "carillon.migrationContainer" -}}
{{- $m := .root.Values.migrations -}}
image: {{ include "carillon.image" (dict "root" .root "image" $m.image) }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  {{- include "carillon.containerSecurity" .root | nindent 2 }}
args:
  {{- toYaml .command | nindent 2 }}
env:
  - name: DJANGO_SETTINGS_MODULE
    value: services.web.settings
  {{- include "carillon.configAsList" .root | trim | nindent 2 }}
  {{- include "carillon.secretEnvironment" (dict "root" .root "secret" .secret) | nindent 2 }}
  {{- with .root.Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with $m.env }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
resources:
  {{- toYaml $m.resources | nindent 2 }}
volumeMounts:
  - name: tmp
    mountPath: /tmp
  - name: run
    mountPath: /run/carillon
  {{- with $m.volumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{- /* A PodDisruptionBudget; takes root, component and values. */ -}}
{{- define "carillon.disruptionBudget" -}}
{{- $b := .values.podDisruptionBudget -}}
{{- if $b.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "carillon.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "carillon.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ $b.maxUnavailable }}
  {{- if eq .component "gateway" }}
  # One that is full is not ready, and has more connections than any other.
  unhealthyPodEvictionPolicy: IfHealthyBudget
  {{- else }}
  # A pod that is not ready serves nobody: it need not hold up a node that is to be emptied.
  unhealthyPodEvictionPolicy: AlwaysAllow
  {{- end }}
  selector:
    matchLabels:
      {{- include "carillon.selector" . | nindent 6 }}
{{- end }}
{{- end -}}

{{- /* Scaling by CPU; takes root, component and values. */ -}}
{{- define "carillon.cpuAutoscaler" -}}
{{- $a := .values.autoscaling -}}
{{- if eq $a.mode "hpa" }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "carillon.fullname" .root }}-{{ .component }}
  namespace: {{ .root.Release.Namespace }}
  labels:
    {{- include "carillon.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: Deployment
    name: {{ include "carillon.fullname" .root }}-{{ .component }}
  minReplicas: {{ $a.minReplicas | int }}
  maxReplicas: {{ $a.maxReplicas | int }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ $a.targetCpuPercent | int }}
  {{- if eq .component "nginx" }}
  # Each of its pods that goes cuts every socket through it.
  behavior:
    scaleDown:
      stabilizationWindowSeconds: 900
      policies:
        - {type: Pods, value: 1, periodSeconds: 300}
  {{- end }}
{{- end }}
{{- end -}}
