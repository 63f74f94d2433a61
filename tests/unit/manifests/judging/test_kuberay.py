"""KubeRay's own rules, one after the other: a manifest that breaks each, and the path said."""

import copy

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from raykit.manifests.judging import kuberay, resource
from raykit.spec.problems import dotted

OLD, NEW = "1.6.2", "1.7.0"
BOTH = (OLD, NEW)

CLUSTER = """
rayVersion: 2.60.0
headGroupSpec:
  rayStartParams: {}
  template: {spec: {containers: [{name: ray-head, image: a}]}}
workerGroupSpecs:
- groupName: w
  replicas: 1
  minReplicas: 0
  maxReplicas: 2
  numOfHosts: 1
  rayStartParams: {}
  template: {spec: {containers: [{name: ray-worker, image: a}]}}
"""
SELECTOR = "clusterSelector: {ray.io/cluster: c}\nentrypoint: true\n"
FIELDS = {"RayCluster": (), "RayJob": ("rayClusterSpec",), "RayService": ("rayClusterConfig",)}


def merged(base, patch):
    """The base with a patch; lists of mappings merge by place, None removes a key."""
    if isinstance(base, dict) and isinstance(patch, dict):
        made = {key: merged(base.get(key), value) for key, value in patch.items()}
        return {key: value for key, value in {**base, **made}.items() if value is not None}
    if (
        isinstance(base, list)
        and isinstance(patch, list)
        and all(isinstance(p, dict) for p in patch)
    ):
        firsts = [merged(old, new) for old, new in zip(base, patch, strict=False)]
        return [*firsts, *base[len(firsts) :], *patch[len(firsts) :]] if patch else []
    return copy.deepcopy(patch)


def manifest(kind, spec=None, **metadata):
    holder = {"apiVersion": "ray.io/v1", "kind": kind, "metadata": {"name": "c", **metadata}}
    return {**holder, "spec": {} if spec is None else spec}


def cluster(patch, **metadata):
    """A RayCluster that is valid but for a patch of its spec."""
    spec = merged(yaml.safe_load(CLUSTER), yaml.safe_load(patch))
    return manifest("RayCluster", spec, **metadata)


def job(text, **metadata):
    return manifest("RayJob", yaml.safe_load(text), **metadata)


def own(patch):
    """A RayJob with a cluster of its own, patched."""
    spec = {"entrypoint": "true", "rayClusterSpec": yaml.safe_load(CLUSTER)}
    return manifest("RayJob", merged(spec, yaml.safe_load(patch)))


def service(patch, **metadata):
    spec = {"serveConfigV2": "", "rayClusterConfig": yaml.safe_load(CLUSTER)}
    return manifest("RayService", merged(spec, yaml.safe_load(patch)), **metadata)


def cron(patch, **metadata):
    spec = {"schedule": "0 3 * * *", "jobTemplate": yaml.safe_load(SELECTOR)}
    return manifest("RayCronJob", merged(spec, yaml.safe_load(patch)), **metadata)


def paths(made, version):
    return [dotted(problem.path) for problem in kuberay.problems(made, version)]


HEAD, GROUP = "headGroupSpec", "workerGroupSpecs"
POD = "template: {spec: {containers: [{%s}]}}"
IN_HEAD = f"{HEAD}: {{{POD}}}"
IN_GROUP = f"{GROUP}: [{{{POD}}}]"
CONTAINER = "spec.headGroupSpec.template.spec.containers"
SCALED = "enableInTreeAutoscaling: true\nautoscalerOptions: {version: v2}\n"
REDIS = "gcsFaultToleranceOptions: {redisAddress: 'r:1'}\n"
ROCKSDB = "gcsFaultToleranceOptions: {backend: rocksdb, storage: {size: 1Gi}}\n"
HISTORY = "historyServerOptions: {collectorOptions: {image: a, env: [%s]}}"
COLLECTOR = "spec.historyServerOptions.collectorOptions"
UPGRADE = (
    "upgradeStrategy: {type: NewClusterWithIncrementalUpgrade, clusterUpgradeOptions: %s}\n"
    "rayClusterConfig: {enableInTreeAutoscaling: true}"
)
OPTIONS = "{maxSurgePercent: 50, stepSizePercent: 5, intervalSeconds: 1, gatewayClassName: g}"
STRATEGY = "deletionStrategy: {deletionRules: [%s]}"
RULE = "{policy: %s, condition: {jobStatus: %s, ttlSeconds: %s}}"


def rules(*each):
    return SELECTOR + STRATEGY % ", ".join(RULE % rule for rule in each)


def own_rules(*each):
    return STRATEGY % ", ".join(RULE % rule for rule in each)


TABLE = [
    # Names: KubeRay adds suffixes to them.
    (cluster("{}", name="c" * 54), "metadata.name", BOTH),
    (cluster("{}", name="1c"), "metadata.name", BOTH),
    (cluster("{}", name="c.d"), "metadata.name", BOTH),
    (cluster("{}", name=None), "metadata.name", BOTH),
    (job(SELECTOR, name="c" * 48), "metadata.name", BOTH),
    (service("{}", name="c" * 48), "metadata.name", BOTH),
    (cron("{}", name="c" * 42), "metadata.name", BOTH),
    (cron("{}", name="c" * 37), "metadata.name", (NEW,)),
    # Groups.
    (cluster(f"{HEAD}: {{template: {{spec: {{containers: []}}}}}}"), CONTAINER, BOTH),
    (
        cluster(f"{GROUP}: [{{template: {{spec: {{containers: []}}}}}}]"),
        "spec.workerGroupSpecs[0].template.spec.containers",
        BOTH,
    ),
    (
        cluster(f"{HEAD}: {{rayStartParams: {{num-cpus: '1'}}, resources: {{a: '1'}}}}"),
        "spec.headGroupSpec.resources",
        BOTH,
    ),
    (
        cluster(f"{GROUP}: [{{rayStartParams: {{memory: '1'}}, resources: {{a: '1'}}}}]"),
        "spec.workerGroupSpecs[0].resources",
        BOTH,
    ),
    (
        cluster(f"{HEAD}: {{rayStartParams: {{labels: a=b}}}}"),
        "spec.headGroupSpec.rayStartParams.labels",
        BOTH,
    ),
    (cluster(f"{HEAD}: {{labels: {{a b: c}}}}"), "spec.headGroupSpec.labels.a b", BOTH),
    (
        cluster(f"{GROUP}: [{{labels: {{a: b c}}}}]"),
        "spec.workerGroupSpecs[0].labels.a",
        BOTH,
    ),
    (cluster(f"{GROUP}: [{{minReplicas: -1}}]"), "spec.workerGroupSpecs[0].minReplicas", BOTH),
    (
        cluster(f"{GROUP}: [{{minReplicas: null, maxReplicas: -1}}]"),
        "spec.workerGroupSpecs[0].maxReplicas",
        BOTH,
    ),
    (cluster(f"{GROUP}: [{{minReplicas: 3}}]"), "spec.workerGroupSpecs[0].minReplicas", BOTH),
    (
        cluster(f"{GROUP}: [{{idleTimeoutSeconds: 5}}]"),
        "spec.workerGroupSpecs[0].idleTimeoutSeconds",
        BOTH,
    ),
    (
        cluster(SCALED + f"{GROUP}: [{{idleTimeoutSeconds: -5}}]"),
        "spec.workerGroupSpecs[0].idleTimeoutSeconds",
        BOTH,
    ),
    (cluster(f"{GROUP}: [{{priority: 1}}]"), "spec.workerGroupSpecs[0].priority", BOTH),
    (
        cluster(SCALED + f"rayVersion: null\n{GROUP}: [{{priority: 1}}]"),
        "spec.workerGroupSpecs[0].priority",
        BOTH,
    ),
    (cluster(SCALED + f"rayVersion: 2.55.9\n{GROUP}: [{{priority: 1}}]"), "spec.rayVersion", BOTH),
    (cluster(SCALED + f"{GROUP}: [{{suspend: true}}]"), "spec.workerGroupSpecs[0].suspend", BOTH),
    # The autoscaler.
    (
        cluster("autoscalerOptions: {idleTimeoutSeconds: -1}"),
        "spec.autoscalerOptions.idleTimeoutSeconds",
        BOTH,
    ),
    (
        cluster("autoscalerOptions: {env: [{name: KUBERAY_GEN_AUTOSCALER_START_CMD}]}"),
        "spec.autoscalerOptions.env[0].name",
        (NEW,),
    ),
    (
        cluster(IN_HEAD % "env: [{name: RAY_enable_autoscaler_v2, value: 'true'}]"),
        f"{CONTAINER}[0].env[0]",
        BOTH,
    ),
    (
        cluster(SCALED + IN_HEAD % "env: [{name: RAY_enable_autoscaler_v2, value: '0'}]"),
        f"{CONTAINER}[0].env[0]",
        BOTH,
    ),
    (
        cluster(SCALED + f"{HEAD}: {{template: {{spec: {{restartPolicy: Always}}}}}}"),
        "spec.headGroupSpec.template.spec.restartPolicy",
        BOTH,
    ),
    (
        cluster(SCALED + f"{GROUP}: [{{template: {{spec: {{restartPolicy: OnFailure}}}}}}]"),
        "spec.workerGroupSpecs[0].template.spec.restartPolicy",
        BOTH,
    ),
    # Authentication, and the Ray that it needs.
    (cluster("rayVersion: null\nauthOptions: {mode: token}"), "spec.authOptions.mode", BOTH),
    (cluster("rayVersion: nightly\nauthOptions: {mode: token}"), "spec.rayVersion", BOTH),
    (cluster("rayVersion: 2.51.9\nauthOptions: {mode: token}"), "spec.rayVersion", BOTH),
    (
        cluster("rayVersion: 2.54.0\nauthOptions: {mode: token, enableK8sTokenAuth: true}"),
        "spec.rayVersion",
        BOTH,
    ),
    (
        cluster("authOptions: {mode: token, enableK8sTokenAuth: true, secretName: s}"),
        "spec.authOptions.secretName",
        BOTH,
    ),
    (
        cluster("authOptions: {enableK8sTokenAuth: true}"),
        "spec.authOptions.enableK8sTokenAuth",
        BOTH,
    ),
    (cluster("managedBy: me"), "spec.managedBy", BOTH),
    # Fault tolerance of the GCS.
    (
        cluster(REDIS, annotations={"ray.io/ft-enabled": "true"}),
        "metadata.annotations.ray.io/ft-enabled",
        BOTH,
    ),
    (
        cluster(REDIS, annotations={"ray.io/external-storage-namespace": "n"}),
        "metadata.annotations.ray.io/external-storage-namespace",
        BOTH,
    ),
    (cluster(IN_HEAD % "env: [{name: RAY_REDIS_ADDRESS}]"), f"{CONTAINER}[0].env[0]", BOTH),
    (cluster(REDIS + IN_HEAD % "env: [{name: RAY_REDIS_ADDRESS}]"), f"{CONTAINER}[0].env[0]", BOTH),
    (cluster(REDIS + IN_HEAD % "env: [{name: REDIS_PASSWORD}]"), f"{CONTAINER}[0].env[0]", BOTH),
    (cluster(IN_HEAD % "env: [{name: REDIS_USERNAME}]"), f"{CONTAINER}[0].env[0]", BOTH),
    (
        cluster(f"{HEAD}: {{rayStartParams: {{redis-username: u}}}}"),
        "spec.headGroupSpec.rayStartParams.redis-username",
        BOTH,
    ),
    (
        cluster(REDIS + f"{HEAD}: {{rayStartParams: {{redis-password: p}}}}"),
        "spec.headGroupSpec.rayStartParams.redis-password",
        BOTH,
    ),
    (
        cluster("gcsFaultToleranceOptions: {redisAddress: a, storage: {}}"),
        "spec.gcsFaultToleranceOptions.storage",
        BOTH,
    ),
    (
        cluster("gcsFaultToleranceOptions: {backend: rocksdb, redisAddress: a}"),
        "spec.gcsFaultToleranceOptions.redisAddress",
        BOTH,
    ),
    (
        cluster("gcsFaultToleranceOptions: {backend: rocksdb, storage: {claimName: a, size: 1}}"),
        "spec.gcsFaultToleranceOptions.storage.size",
        BOTH,
    ),
    (
        cluster(ROCKSDB + IN_HEAD % "env: [{name: RAY_gcs_storage_path}]"),
        f"{CONTAINER}[0].env[0]",
        BOTH,
    ),
    (
        cluster(ROCKSDB + IN_HEAD % "volumeMounts: [{name: a, mountPath: /data/gcs}]"),
        f"{CONTAINER}[0].volumeMounts[0]",
        BOTH,
    ),
    # Network policies, TLS and the history server of 1.7.
    (
        cluster("networkPolicy: {mode: DenyAllEgress, head: {ingressRules: [{}]}}"),
        "spec.networkPolicy.head.ingressRules",
        BOTH,
    ),
    (
        cluster("networkPolicy: {mode: DenyAllIngress, worker: {egressRules: [{}]}}"),
        "spec.networkPolicy.worker.egressRules",
        BOTH,
    ),
    (
        cluster(
            "networkPolicy: {mode: DenyAllEgress, "
            "workerGroups: [{groupName: w, ingressRules: [{}]}]}"
        ),
        "spec.networkPolicy.workerGroups[0].ingressRules",
        BOTH,
    ),
    (
        cluster("networkPolicy: {workerGroups: [{groupName: other}]}"),
        "spec.networkPolicy.workerGroups[0].groupName",
        BOTH,
    ),
    (
        cluster(f"networkPolicy: {{}}\n{GROUP}: [{{groupName: W_1}}]"),
        "spec.workerGroupSpecs[0].groupName",
        BOTH,
    ),
    (
        cluster("tlsOptions: {}\n" + IN_HEAD % "env: [{name: RAY_USE_TLS}]"),
        f"{CONTAINER}[0].env[0]",
        BOTH,
    ),
    (
        cluster("tlsOptions: {}\n" + IN_GROUP % "env: [{name: RAY_TLS_CA_CERT}]"),
        "spec.workerGroupSpecs[0].template.spec.containers[0].env[0]",
        BOTH,
    ),
    (
        cluster("tlsOptions: {}\nautoscalerOptions: {env: [{name: RAY_USE_TLS}]}"),
        "spec.autoscalerOptions.env[0]",
        BOTH,
    ),
    (cluster("historyServerOptions: {}"), COLLECTOR, BOTH),
    (
        cluster(
            "historyServerOptions: {collectorOptions: {env: [{name: STORAGE_BACKEND, value: x}]}}"
        ),
        f"{COLLECTOR}.image",
        BOTH,
    ),
    (cluster(HISTORY % ""), f"{COLLECTOR}.env", BOTH),
    (cluster(HISTORY % "{name: STORAGE_BACKEND, value: s3}"), f"{COLLECTOR}.env", BOTH),
    (cluster(HISTORY % "{name: STORAGE_BACKEND, value: AzureBlob}"), f"{COLLECTOR}.env", BOTH),
    (
        cluster(HISTORY % "{name: STORAGE_BACKEND, value: x}, {name: POD_IP}"),
        f"{COLLECTOR}.env[1]",
        BOTH,
    ),
    # RayJobs.
    (job("entrypoint: true"), "spec.rayClusterSpec", BOTH),
    (job("clusterSelector: {a: b}"), "spec.clusterSelector.ray.io/cluster", BOTH),
    (job(SELECTOR + "submissionMode: SidecarMode"), "spec.clusterSelector", BOTH),
    (job(SELECTOR + "submissionMode: Http"), "spec.submissionMode", BOTH),
    (job(SELECTOR + "backoffLimit: 1"), "spec.backoffLimit", BOTH),
    (job(SELECTOR + "backoffLimit: -1"), "spec.backoffLimit", BOTH),
    (job(SELECTOR + "activeDeadlineSeconds: 0"), "spec.activeDeadlineSeconds", BOTH),
    (job(SELECTOR + "preRunningDeadlineSeconds: -1"), "spec.preRunningDeadlineSeconds", BOTH),
    (job(SELECTOR + "runtimeEnvYAML: '{a'"), "spec.runtimeEnvYAML", BOTH),
    (job(SELECTOR + "runtimeEnvYAML: '[a]'"), "spec.runtimeEnvYAML", BOTH),
    (job(SELECTOR + "ttlSecondsAfterFinished: 5"), "spec.ttlSecondsAfterFinished", BOTH),
    (
        own("shutdownAfterJobFinishes: true\nttlSecondsAfterFinished: -5"),
        "spec.ttlSecondsAfterFinished",
        BOTH,
    ),
    (own("suspend: true"), "spec.suspend", BOTH),
    (job(SELECTOR + "suspend: true\nshutdownAfterJobFinishes: true"), "spec.suspend", BOTH),
    (own("submissionMode: InteractiveMode\nbackoffLimit: 1"), "spec.backoffLimit", BOTH),
    (
        own("submissionMode: SidecarMode\nsubmitterPodTemplate: {}"),
        "spec.submitterPodTemplate",
        BOTH,
    ),
    (own("submissionMode: SidecarMode\nsubmitterConfig: {}"), "spec.submitterConfig", BOTH),
    (
        own(
            "submissionMode: SidecarMode\nrayClusterSpec: "
            "{headGroupSpec: {template: {spec: {restartPolicy: Always}}}}"
        ),
        "spec.rayClusterSpec.headGroupSpec.template.spec.restartPolicy",
        BOTH,
    ),
    (
        own("rayClusterSpec: {authOptions: {mode: token, enableK8sTokenAuth: true}}"),
        "spec.rayClusterSpec.authOptions.enableK8sTokenAuth",
        BOTH,
    ),
    (
        own("rayClusterSpec: {upgradeStrategy: {type: Recreate}}"),
        "spec.rayClusterSpec.upgradeStrategy.type",
        BOTH,
    ),
    (
        own(f"rayClusterSpec: {{{GROUP}: [{{minReplicas: 3}}]}}"),
        "spec.rayClusterSpec.workerGroupSpecs[0].minReplicas",
        BOTH,
    ),
    (job(SELECTOR + "managedBy: me"), "spec.managedBy", BOTH),
    # What is deleted after a job.
    (job(SELECTOR + "deletionStrategy: {}"), "spec.deletionStrategy", BOTH),
    (
        job(SELECTOR + "deletionStrategy: {onSuccess: {policy: DeleteSelf}}"),
        "spec.deletionStrategy.onFailure",
        BOTH,
    ),
    (
        own("deletionStrategy: {onSuccess: {policy: DeleteSelf}, onFailure: {}}"),
        "spec.deletionStrategy.onFailure.policy",
        BOTH,
    ),
    (
        job(
            SELECTOR + "deletionStrategy: "
            "{onSuccess: {policy: DeleteCluster}, onFailure: {policy: DeleteSelf}}"
        ),
        "spec.deletionStrategy.onSuccess.policy",
        BOTH,
    ),
    (
        own(
            "rayClusterSpec: {enableInTreeAutoscaling: true}\ndeletionStrategy: "
            "{onSuccess: {policy: DeleteSelf}, onFailure: {policy: DeleteWorkers}}"
        ),
        "spec.deletionStrategy.onFailure.policy",
        BOTH,
    ),
    (
        own(
            "shutdownAfterJobFinishes: true\ndeletionStrategy: "
            "{onSuccess: {policy: DeleteNone}, onFailure: {policy: DeleteSelf}}"
        ),
        "spec.deletionStrategy.onSuccess.policy",
        BOTH,
    ),
    (
        own("shutdownAfterJobFinishes: true\n" + own_rules(("DeleteSelf", "FAILED", 1))),
        "spec.deletionStrategy.deletionRules",
        BOTH,
    ),
    (
        own(
            "deletionStrategy: {onSuccess: {policy: DeleteSelf}, onFailure: {policy: DeleteSelf}, "
            f"deletionRules: [{RULE % ('DeleteSelf', 'FAILED', 1)}]}}"
        ),
        "spec.deletionStrategy.deletionRules",
        BOTH,
    ),
    (
        job(rules(("DeleteSelf", "FAILED", -1))),
        "spec.deletionStrategy.deletionRules[0].condition.ttlSeconds",
        BOTH,
    ),
    (
        job(SELECTOR + STRATEGY % "{policy: DeleteSelf, condition: {ttlSeconds: 1}}"),
        "spec.deletionStrategy.deletionRules[0].condition",
        BOTH,
    ),
    (
        job(
            SELECTOR + STRATEGY % "{policy: DeleteSelf, "
            "condition: {jobStatus: FAILED, jobDeploymentStatus: Failed, ttlSeconds: 1}}"
        ),
        "spec.deletionStrategy.deletionRules[0].condition",
        BOTH,
    ),
    (
        job(rules(("DeleteWorkers", "FAILED", 1))),
        "spec.deletionStrategy.deletionRules[0].policy",
        BOTH,
    ),
    (
        own(
            "rayClusterSpec: {enableInTreeAutoscaling: true}\n"
            + own_rules(("DeleteWorkers", "FAILED", 1))
        ),
        "spec.deletionStrategy.deletionRules[0].policy",
        BOTH,
    ),
    (
        own(own_rules(("DeleteSelf", "FAILED", 1), ("DeleteSelf", "FAILED", 2))),
        "spec.deletionStrategy.deletionRules[1]",
        BOTH,
    ),
    (
        own(own_rules(("DeleteCluster", "FAILED", 9), ("DeleteSelf", "FAILED", 8))),
        "spec.deletionStrategy.deletionRules[1].condition.ttlSeconds",
        BOTH,
    ),
    # RayServices.
    (
        service("{}", annotations={"ray.io/initializing-timeout": "soon"}),
        "metadata.annotations.ray.io/initializing-timeout",
        BOTH,
    ),
    (
        service("{}", annotations={"ray.io/initializing-timeout": "0s"}),
        "metadata.annotations.ray.io/initializing-timeout",
        BOTH,
    ),
    (
        service("{}", annotations={"ray.io/initializing-timeout": "-5"}),
        "metadata.annotations.ray.io/initializing-timeout",
        BOTH,
    ),
    (
        service("rayClusterConfig: {authOptions: {mode: token, enableK8sTokenAuth: true}}"),
        "spec.rayClusterConfig.authOptions.enableK8sTokenAuth",
        BOTH,
    ),
    (
        service("rayClusterConfig: {headGroupSpec: {headService: {metadata: {name: a}}}}"),
        "spec.rayClusterConfig.headGroupSpec.headService.metadata.name",
        BOTH,
    ),
    (
        service("rayClusterConfig: {upgradeStrategy: {type: None}}"),
        "spec.rayClusterConfig.upgradeStrategy.type",
        BOTH,
    ),
    (service("rayClusterDeletionDelaySeconds: -1"), "spec.rayClusterDeletionDelaySeconds", BOTH),
    (service("upgradeStrategy: {type: Rolling}"), "spec.upgradeStrategy.type", BOTH),
    (
        service(UPGRADE.replace("true", "false") % OPTIONS),
        "spec.upgradeStrategy.type",
        BOTH,
    ),
    (service(UPGRADE % "null"), "spec.upgradeStrategy.clusterUpgradeOptions", BOTH),
    *(
        (
            service(UPGRADE % OPTIONS.replace(old, new)),
            f"spec.upgradeStrategy.clusterUpgradeOptions.{key}",
            versions,
        )
        for old, new, key, versions in (
            ("Percent: 50", "Percent: 101", "maxSurgePercent", BOTH),
            ("Percent: 5,", "Percent: -1,", "stepSizePercent", BOTH),
            ("stepSizePercent: 5, ", "", "stepSizePercent", BOTH),
            ("Percent: 5,", "Percent: 51,", "stepSizePercent", (NEW,)),
            ("Seconds: 1", "Seconds: 0", "intervalSeconds", BOTH),
            ("gatewayClassName: g", "gatewayClassName: ''", "gatewayClassName", BOTH),
        )
    ),
    # RayCronJobs.
    *(
        (cron(f"schedule: '{schedule}'"), "spec.schedule", BOTH)
        for schedule in (
            *("* * * *", "60 * * * *", "* 24 * * *", "* * 0 * *", "* * * 13 *", "* * * * 7"),
            *("5-3 * * * *", "*/0 * * * *", "a * * * *", "@never", "@every", "@every 5", ""),
            *("* * * mars *", "1,,2 * * * *", "-1 * * * *"),
        )
    ),
    (cron("schedule: 'TZ=UTC 0 3 * * *'"), "spec.schedule", (NEW,)),
    (cron("timeZone: ''"), "spec.timeZone", BOTH),
    (cron("timeZone: 'not a zone'"), "spec.timeZone", BOTH),
    (cron("jobTemplate: {backoffLimit: -1}"), "spec.jobTemplate.backoffLimit", BOTH),
]


@pytest.mark.parametrize(("made", "path", "versions"), TABLE, ids=lambda each: str(each)[:60])
@pytest.mark.parametrize("version", BOTH)
def test_what_the_operator_refuses_is_said_at_its_path(version, made, path, versions):
    assert paths(made, version) == ([path] if version in versions else [])


TAKEN = [
    cluster("{}", name="c" * 53),
    cluster("{}", name=None, generateName="c-"),
    cluster(f"{HEAD}: {{resources: {{CPU: '1'}}, rayStartParams: {{num-cpus: ''}}}}"),
    cluster(f"{GROUP}: [{{minReplicas: null, maxReplicas: null}}]"),
    cluster(SCALED + f"{GROUP}: [{{idleTimeoutSeconds: 0, priority: 3}}]"),
    cluster(f"{GROUP}: [{{priority: 0}}]"),
    cluster(f"{GROUP}: [{{suspend: true}}]"),
    cluster(
        "enableInTreeAutoscaling: true\n"
        + f"{HEAD}: {{template: {{spec: {{restartPolicy: Always}}}}}}"
    ),
    cluster(IN_HEAD % "env: [{name: RAY_enable_autoscaler_v2, value: '0'}]"),
    cluster(
        "enableInTreeAutoscaling: true\n"
        + IN_HEAD % "env: [{name: RAY_enable_autoscaler_v2, value: '1'}]"
    ),
    cluster("rayVersion: v2.52\nauthOptions: {mode: token}"),
    cluster("rayVersion: 2.52.0rc1\nauthOptions: {mode: token}"),
    cluster("rayVersion: nightly\nauthOptions: {mode: disabled}"),
    cluster("managedBy: kueue.x-k8s.io/multikueue"),
    cluster(REDIS),
    cluster(ROCKSDB),
    cluster(
        IN_HEAD % "env: [{name: RAY_REDIS_ADDRESS}]", annotations={"ray.io/ft-enabled": "True"}
    ),
    cluster(IN_HEAD % "env: [{name: REDIS_PASSWORD}]"),
    cluster("networkPolicy: {mode: DenyAllEgress, head: {egressRules: [{}]}}"),
    cluster("networkPolicy: {workerGroups: [{groupName: w, ingressRules: [{}]}]}"),
    cluster("tlsOptions: {enabled: false}\n" + IN_HEAD % "env: [{name: RAY_USE_TLS}]"),
    cluster(HISTORY % "{name: STORAGE_BACKEND, value: s3}, {name: S3_REGION, valueFrom: {}}"),
    job(SELECTOR, name="c" * 47),
    job(SELECTOR + "submissionMode: HTTPMode\nbackoffLimit: 0\nttlSecondsAfterFinished: 0"),
    job(SELECTOR + "runtimeEnvYAML: |\n  pip: [a]\n"),
    own("shutdownAfterJobFinishes: true\nsuspend: true\nttlSecondsAfterFinished: 5"),
    own("submissionMode: SidecarMode"),
    own("backoffLimit: 3"),
    job(rules(("DeleteSelf", "FAILED", 5), ("DeleteSelf", "SUCCEEDED", 1))),
    own(own_rules(("DeleteWorkers", "FAILED", 1), ("DeleteCluster", "FAILED", 1))),
    service("{}", name="c" * 47, annotations={"ray.io/initializing-timeout": "1h30m"}),
    service("{}", annotations={"ray.io/initializing-timeout": "300"}),
    service("upgradeStrategy: {type: NewCluster}\nrayClusterDeletionDelaySeconds: 0"),
    service(UPGRADE % OPTIONS),
    service(UPGRADE % OPTIONS.replace("maxSurgePercent: 50, ", "")),
    *(
        cron(f"schedule: '{schedule}'")
        for schedule in (
            *("@hourly", "@every 1h30m", "*/15 0-6,22 1,15 JAN-mar,12 mon-5", "? * ? * *"),
            *("0  3 * * *", "5/10 * * * *"),
        )
    ),
    cron("timeZone: America/Argentina/Buenos_Aires", name="c" * 36),
]


@pytest.mark.parametrize("made", TAKEN, ids=lambda each: str(each)[:60])
@pytest.mark.parametrize("version", BOTH)
def test_what_the_operator_takes_is_not_refused(version, made):
    assert paths(made, version) == []


@pytest.mark.parametrize(
    ("made", "path", "versions"),
    [
        (cron("{}"), "kind", BOTH),
        (service(UPGRADE % OPTIONS), "spec.upgradeStrategy.type", (OLD,)),
        (cluster("networkPolicy: {}"), "spec.networkPolicy", BOTH),
        (cluster("tlsOptions: {}"), "spec.tlsOptions", BOTH),
        (cluster("historyServerOptions: {}"), "spec.historyServerOptions", BOTH),
        (cluster(ROCKSDB), "spec.gcsFaultToleranceOptions.backend", BOTH),
        (cluster("{}"), None, ()),
    ],
    ids=lambda each: str(each)[:60],
)
@pytest.mark.parametrize("version", BOTH)
def test_what_needs_a_feature_gate_is_a_warning(version, made, path, versions):
    found = kuberay.warnings(made, version)
    assert [dotted(each.path) for each in found] == ([path] if version in versions else [])
    assert all("feature gate" in each.message for each in found)


def test_a_path_is_said_once_even_if_schema_and_operator_refuse_it():
    made = cluster(f"{GROUP}: [{{minReplicas: -1, groupName: null}}]\nmanagedBy: me")
    said = [dotted(each.path) for each in resource.judge(made, NEW).problems]
    assert len(said) == len(set(said)) == 3


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
KEYS = sorted(
    {
        part
        for _, path, _ in TABLE
        for part in path.replace("[", ".").replace("]", "").split(".")
        if not part.isdigit()
    }
)


def graft(node, draw):
    """The node with odd values in place of some of its own."""
    if draw(st.integers(0, 6)) == 0:
        return draw(odd)
    if isinstance(node, dict):
        made = {key: graft(value, draw) for key, value in node.items()}
        return {**made, **draw(st.dictionaries(st.sampled_from(KEYS), odd, max_size=1))}
    return [graft(item, draw) for item in node] if isinstance(node, list) else node


@given(st.data())
def test_no_value_of_another_type_breaks_a_rule(data):
    made, _, _ = data.draw(st.sampled_from(TABLE))
    grafted = {**made, "spec": graft(made["spec"], data.draw)}
    for version in BOTH:
        for problem in resource.judge(grafted, version).problems:
            assert problem.message
