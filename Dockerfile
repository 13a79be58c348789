# Build: docker build -t codat-processor . The image runs web, worker and clock; see docs/deploying.md.
FROM python:3.11-slim

RUN useradd --create-home --uid 10001 processor
WORKDIR /srv/codat-processor
COPY deploy/requirements.lock pyproject.toml README.md ./
COPY handlers handlers
COPY processor processor
COPY workers workers
RUN pip install --no-cache-dir --require-hashes --requirement requirements.lock \
    && pip install --no-cache-dir --no-deps --no-build-isolation .

USER processor
ENV HOST=0.0.0.0 PORT=8000
EXPOSE 8000
ENTRYPOINT ["codat-processor"]
CMD ["web"]
