// Package packaging tries what is in the directory of that name: the unit of
// systemd, and the steps of the Dockerfile without Docker.
package packaging
