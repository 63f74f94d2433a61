# Ray with the jobs of raykit. Built by `raykit image build`, or by hand:
#   docker build -t raykit:2.60.0-py311 .
# ARCH is the base's architecture suffix: empty on amd64, -aarch64 on arm64.
ARG RAY=2.60.0-py311
ARG ARCH=
FROM rayproject/ray:${RAY}${ARCH}

# What the jobs import beside Ray and the standard library; PIP_INDEX_URL names a mirror.
ARG PIP_INDEX_URL
RUN pip install --no-cache-dir --quiet "isal>=1.7,<2" "numpy>=2,<3"

# Without byte code `ray.init` takes more than twice as long in each new pod.
RUN python -c "import compileall, pathlib, ray; compileall.compile_dir(pathlib.Path(ray.__file__).parent, quiet=2)"

# Not below a home or a working folder: a user's own `jobs` cannot take this one's place.
COPY --chown=1000:100 jobs /opt/raykit/jobs
USER 1000:100
RUN python -m compileall -q /opt/raykit/jobs
ENV PYTHONPATH=/opt/raykit
WORKDIR /opt/raykit
