{{- define "ccr.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}{{ else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "ccr.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "ccr.labels" -}}
{{ include "ccr.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "ccr.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ .Values.serviceAccount.name | default (include "ccr.name" .) }}{{ else }}{{ .Values.serviceAccount.name | default "default" }}{{ end }}
{{- end }}

{{- define "ccr.keySecret" -}}
{{ .Values.secretKey.existingSecret | default (printf "%s-key" (include "ccr.name" .)) }}
{{- end }}

{{- define "ccr.tokensSecret" -}}
{{- if .Values.access.tokensSecret }}{{ .Values.access.tokensSecret }}{{ else if .Values.access.tokens }}{{ include "ccr.name" . }}-tokens{{ end }}
{{- end }}

{{- define "ccr.scheme" -}}
{{ if .Values.access.tlsSecret }}HTTPS{{ else }}HTTP{{ end }}
{{- end }}

{{/* The names under which the pods are asked. */}}
{{- define "ccr.hosts" -}}
{{- $hosts := list }}
{{- range $service := list (include "ccr.name" .) (printf "%s-worker" (include "ccr.name" .)) }}
{{- range $suffix := list "" (printf ".%s" $.Release.Namespace) (printf ".%s.svc" $.Release.Namespace) (printf ".%s.svc.cluster.local" $.Release.Namespace) }}
{{- $hosts = append $hosts (printf "%s%s" $service $suffix) }}
{{- end }}
{{- end }}
{{- if .Values.ingress.enabled }}{{ $hosts = append $hosts .Values.ingress.host }}{{ end }}
{{- join "," (concat $hosts .Values.access.allowedHosts) }}
{{- end }}

{{/* A value as its file writes it: Helm makes a float64 of each number, which prints as 1e+06. */}}
{{- define "ccr.text" -}}
{{ if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}

{{/* Mistakes that would only show in the logs of pods that do not start. */}}
{{- define "ccr.check" -}}
{{- if not (or .Values.secretKey.existingSecret .Values.secretKey.keys) }}
{{- fail "secretKey.keys or secretKey.existingSecret is needed: the key that seals the passwords of Doris accounts. Make one with: openssl rand -base64 32" }}
{{- end }}
{{- if not (or .Values.access.allowInsecure (and (include "ccr.tokensSecret" .) .Values.access.tlsSecret)) }}
{{- fail "access.tokens (or access.tokensSecret) and access.tlsSecret are needed; access.allowInsecure=true does without" }}
{{- end }}
{{- if and .Values.webhook.secret.name (not .Values.webhook.secret.key) }}
{{- fail "webhook.secret.key is needed: which key of the Secret webhook.secret.name it is" }}
{{- end }}
{{- if and .Values.temporal.apiKeySecret.name (not .Values.temporal.apiKeySecret.key) }}
{{- fail "temporal.apiKeySecret.key is needed: which key of the Secret temporal.apiKeySecret.name it is" }}
{{- end }}
{{- if and .Values.extraCA.configMap .Values.extraCA.secret }}
{{- fail "extraCA.configMap and extraCA.secret are two places for one authority: give one of them" }}
{{- end }}
{{- if and .Values.serviceMonitor.bearerTokenSecret.name (not .Values.serviceMonitor.bearerTokenSecret.key) }}
{{- fail "serviceMonitor.bearerTokenSecret.key is needed: which key of the Secret it is" }}
{{- end }}
{{- end }}

{{/* The pod of a part: dict "root" $ "part" "api" "values" .Values.api "port" 9190 */}}
{{- define "ccr.pod" -}}
{{- $ := .root -}}
{{- $part := .part -}}
{{- include "ccr.check" $ -}}
metadata:
  labels:
    {{- include "ccr.selector" $ | nindent 4 }}
    app.kubernetes.io/component: {{ .part }}
    {{- with $.Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  annotations:
    {{- /* A changed key starts the pods anew; tokens and certificates are read again. */}}
    checksum/key: {{ $.Values.secretKey.keys | join "," | sha256sum }}
    {{- with $.Values.podAnnotations }}{{ toYaml . | nindent 4 }}{{ end }}
spec:
  serviceAccountName: {{ include "ccr.serviceAccount" $ }}
  automountServiceAccountToken: false
  # A service named ccr would give the pods a variable CCR_PORT, which is a setting.
  enableServiceLinks: false
  {{- with $.Values.imagePullSecrets }}
  imagePullSecrets: {{ toYaml . | nindent 4 }}
  {{- end }}
  # Running steps hand their position over: half a minute at most.
  terminationGracePeriodSeconds: 45
  {{- with $.Values.podSecurityContext }}
  securityContext: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with $.Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $.Values.topologySpread.keys }}
  topologySpreadConstraints:
    {{- range $key := . }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: {{ $.Values.topologySpread.whenUnsatisfiable }}
      labelSelector:
        matchLabels:
          {{- include "ccr.selector" $ | nindent 10 }}
          app.kubernetes.io/component: {{ $part }}
    {{- end }}
  {{- end }}
  containers:
    - name: ccr
      image: "{{ $.Values.image.repository }}:{{ $.Values.image.tag | default $.Chart.AppVersion }}"
      imagePullPolicy: {{ $.Values.image.pullPolicy }}
      args: [{{ .part }}]
      env:
        - {name: CCR_TEMPORAL_ADDRESS, value: {{ $.Values.temporal.address | quote }}}
        - {name: CCR_TEMPORAL_NAMESPACE, value: {{ $.Values.temporal.namespace | quote }}}
        {{- if $.Values.temporal.tls.enabled }}
        - {name: CCR_TEMPORAL_TLS, value: "true"}
        {{- with $.Values.temporal.tls.serverName }}
        - {name: CCR_TEMPORAL_SERVER_NAME, value: {{ . | quote }}}
        {{- end }}
        {{- if $.Values.temporal.tls.existingSecret }}
        - {name: CCR_TEMPORAL_CA, value: /etc/ccr/temporal/ca.crt}
        {{- if $.Values.temporal.tls.clientCertificate }}
        - {name: CCR_TEMPORAL_CERT, value: /etc/ccr/temporal/tls.crt}
        - {name: CCR_TEMPORAL_KEY, value: /etc/ccr/temporal/tls.key}
        {{- end }}
        {{- end }}
        {{- end }}
        {{- with $.Values.temporal.apiKeySecret }}
        {{- if .name }}
        - name: CCR_TEMPORAL_API_KEY
          valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .key }}}}
        {{- end }}
        {{- end }}
        {{- with $.Values.doris.tls }}
        {{- if .mode }}
        - {name: CCR_DORIS_TLS, value: {{ .mode | quote }}}
        {{- if .minimum }}
        - {name: CCR_DORIS_TLS_MIN, value: {{ .minimum | quote }}}
        {{- end }}
        {{- if .existingSecret }}
        {{- if ne .mode "required" }}
        - {name: CCR_DORIS_CA, value: /etc/ccr/doris/ca.crt}
        {{- end }}
        {{- if .clientCertificate }}
        - {name: CCR_DORIS_CERT, value: /etc/ccr/doris/tls.crt}
        - {name: CCR_DORIS_KEY, value: /etc/ccr/doris/tls.key}
        {{- end }}
        {{- end }}
        {{- end }}
        {{- end }}
        {{- if or $.Values.extraCA.configMap $.Values.extraCA.secret }}
        - {name: SSL_CERT_DIR, value: /etc/ccr/ca}
        {{- end }}
        - {name: CCR_SECRET_KEY_FILE, value: /etc/ccr/key/secret.key}
        {{- if include "ccr.tokensSecret" $ }}
        - {name: CCR_TOKENS_FILE, value: /etc/ccr/tokens/tokens}
        {{- end }}
        {{- if $.Values.access.tlsSecret }}
        - {name: CCR_TLS_CERT, value: /etc/ccr/tls/tls.crt}
        - {name: CCR_TLS_KEY, value: /etc/ccr/tls/tls.key}
        {{- end }}
        {{- if $.Values.access.allowInsecure }}
        - {name: CCR_ALLOW_INSECURE_LISTEN, value: "true"}
        {{- end }}
        {{- if not (include "ccr.tokensSecret" $) }}
        - {name: CCR_ALLOWED_HOSTS, value: {{ include "ccr.hosts" $ | quote }}}
        {{- end }}
        - {name: {{ if eq .part "api" }}CCR_LISTEN{{ else }}CCR_METRICS_LISTEN{{ end }}, value: "0.0.0.0:{{ .port }}"}
        - {name: CCR_LOG_LEVEL, value: {{ $.Values.log.level | quote }}}
        - {name: CCR_LOG_FORMAT, value: {{ $.Values.log.format | quote }}}
        {{- with $.Values.webhook.url }}
        - {name: CCR_WEBHOOK_URL, value: {{ . | quote }}}
        {{- end }}
        {{- if $.Values.webhook.secret.name }}
        - name: CCR_WEBHOOK_SECRET
          valueFrom: {secretKeyRef: {name: {{ $.Values.webhook.secret.name }}, key: {{ $.Values.webhook.secret.key }}}}
        {{- end }}
        {{- with $.Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- range $name, $value := .values.env }}
        - {name: {{ $name }}, value: {{ include "ccr.text" $value | quote }}}
        {{- end }}
      ports:
        - {name: http, containerPort: {{ .port }}}
      # Not ready: Temporal is not reached. Not alive: the process does not answer;
      # an unreachable Temporal is no reason to start it anew.
      readinessProbe:
        httpGet: {path: /healthz, port: http, scheme: {{ include "ccr.scheme" $ }}}
        periodSeconds: 5
        timeoutSeconds: 5
      livenessProbe:
        tcpSocket: {port: http}
        periodSeconds: 10
      startupProbe:
        tcpSocket: {port: http}
        periodSeconds: 2
        failureThreshold: 60
      resources: {{ toYaml .values.resources | nindent 8 }}
      {{- with $.Values.containerSecurityContext }}
      securityContext: {{ toYaml . | nindent 8 }}
      {{- end }}
      volumeMounts:
        - {name: key, mountPath: /etc/ccr/key, readOnly: true}
        {{- if include "ccr.tokensSecret" $ }}
        - {name: tokens, mountPath: /etc/ccr/tokens, readOnly: true}
        {{- end }}
        {{- if $.Values.access.tlsSecret }}
        - {name: tls, mountPath: /etc/ccr/tls, readOnly: true}
        {{- end }}
        {{- if and $.Values.temporal.tls.enabled $.Values.temporal.tls.existingSecret }}
        - {name: temporal, mountPath: /etc/ccr/temporal, readOnly: true}
        {{- end }}
        {{- if and $.Values.doris.tls.mode $.Values.doris.tls.existingSecret }}
        - {name: doris, mountPath: /etc/ccr/doris, readOnly: true}
        {{- end }}
        {{- if or $.Values.extraCA.configMap $.Values.extraCA.secret }}
        - {name: ca, mountPath: /etc/ccr/ca, readOnly: true}
        {{- end }}
        {{- with $.Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: key
      secret: {secretName: {{ include "ccr.keySecret" $ }}, defaultMode: 0440}
    {{- with include "ccr.tokensSecret" $ }}
    - name: tokens
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
    {{- with $.Values.access.tlsSecret }}
    - name: tls
      secret: {secretName: {{ . }}, defaultMode: 0440}
    {{- end }}
    {{- if and $.Values.temporal.tls.enabled $.Values.temporal.tls.existingSecret }}
    - name: temporal
      secret: {secretName: {{ $.Values.temporal.tls.existingSecret }}, defaultMode: 0440}
    {{- end }}
    {{- if and $.Values.doris.tls.mode $.Values.doris.tls.existingSecret }}
    - name: doris
      secret: {secretName: {{ $.Values.doris.tls.existingSecret }}, defaultMode: 0440}
    {{- end }}
    {{- with $.Values.extraCA }}
    {{- if .secret }}
    - name: ca
      secret: {secretName: {{ .secret }}, items: [{key: {{ .key }}, path: ca.crt}]}
    {{- else if .configMap }}
    - name: ca
      configMap: {name: {{ .configMap }}, items: [{key: {{ .key }}, path: ca.crt}]}
    {{- end }}
    {{- end }}
    {{- with $.Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .values.nodeSelector }}
  nodeSelector: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.tolerations }}
  tolerations: {{ toYaml . | nindent 4 }}
  {{- end }}
  {{- with .values.affinity }}
  affinity: {{ toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
