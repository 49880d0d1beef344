# A team's images: ours, with an app of its own in each of the three services. Built from the app's
# folder, one target after the other:
#
#   docker build --target web --tag team/web:1 --file team.Dockerfile polls
#
# Packages that the app needs: install them in a stage of the python image, with `pip install
# --target`, and copy that folder to /app. Static files: run collectstatic in the web image's stage
# as root, and copy /srv/static into an image made from carillon/nginx.

ARG CARILLON=carillon
ARG VERSION=0.1.0

FROM ${CARILLON}/web:${VERSION} AS web
COPY --chmod=644 *.py /app/tests/team/
ENV CARILLON_APPS=tests.team

FROM ${CARILLON}/gateway:${VERSION} AS gateway
COPY --chmod=644 *.py /app/tests/team/
ENV CARILLON_APPS=tests.team

FROM ${CARILLON}/worker:${VERSION} AS worker
COPY --chmod=644 *.py /app/tests/team/
ENV CARILLON_APPS=tests.team
