# Ray with the jobs of raykit. Built by `raykit image build`, or by hand:
#   docker build -t raykit:2.60.0-py311 .
# ARCH is the base's architecture suffix: empty on amd64, -aarch64 on arm64.
ARG RAY=2.60.0-py311
ARG ARCH=

# PIP_INDEX_URL names a mirror, and may hold a password: the image keeps no history of this stage.
FROM rayproject/ray:${RAY}${ARCH} AS wheels
ARG PIP_INDEX_URL
RUN pip wheel --no-cache-dir --quiet --wheel-dir /tmp/wheels "isal>=1.7,<2" "numpy>=2,<3" "obstore>=0.12,<0.13"

FROM rayproject/ray:${RAY}${ARCH}
# What the jobs import beside Ray and the standard library.
COPY --from=wheels --chown=1000:100 /tmp/wheels /tmp/wheels
RUN pip install --no-cache-dir --quiet --no-index --find-links /tmp/wheels isal numpy obstore && rm -r /tmp/wheels

# Without byte code `ray.init` takes more than twice as long in each new pod.
RUN python -c "import compileall, pathlib, ray; compileall.compile_dir(pathlib.Path(ray.__file__).parent, quiet=2)"

# On nobody's import path: `python /opt/raykit/jobs NAME` puts it there for that job alone.
COPY --chown=1000:100 jobs /opt/raykit/jobs
USER 1000:100
RUN python -m compileall -q /opt/raykit/jobs
