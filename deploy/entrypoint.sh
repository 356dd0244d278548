#!/usr/bin/env bash
# What a container runs. `executor` is Spark's word: its Kubernetes scheduler starts executors so and
# hands over everything else in variables. Any other words are a command: spark-submit, refinery, sh.
set -euo pipefail

if [ "${1:-}" != executor ]; then
  exec "$@"
fi

# One option per variable, SPARK_JAVA_OPT_0 and so on; they may hold blanks, and 10 comes after 9.
options=()
while IFS= read -r name; do
  options+=("${!name}")
done < <(compgen -e SPARK_JAVA_OPT_ | sort -t _ -k 4 -n)

exec "${JAVA_HOME}/bin/java" \
  "${options[@]}" \
  "-Xms${SPARK_EXECUTOR_MEMORY}" "-Xmx${SPARK_EXECUTOR_MEMORY}" \
  -cp "${SPARK_CLASSPATH:-}:${SPARK_HOME}/jars/*" \
  org.apache.spark.scheduler.cluster.k8s.KubernetesExecutorBackend \
  --driver-url "${SPARK_DRIVER_URL}" \
  --executor-id "${SPARK_EXECUTOR_ID}" \
  --cores "${SPARK_EXECUTOR_CORES}" \
  --app-id "${SPARK_APPLICATION_ID}" \
  --hostname "${SPARK_EXECUTOR_POD_IP}" \
  --resourceProfileId "${SPARK_RESOURCE_PROFILE_ID:-0}" \
  --podName "${SPARK_EXECUTOR_POD_NAME}"
