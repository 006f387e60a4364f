# MySQL for the tests, as scripts/databases.sh starts it: any user, and nothing of the base's own start.
FROM mysql:9
LABEL lambda.image=test-mysql
ENV LANG=C.UTF-8 HOME=/tmp
WORKDIR /tmp
USER 65534:65534
ENTRYPOINT []
CMD ["/usr/sbin/mysqld"]
