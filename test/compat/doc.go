// Package compat runs clients of Zaqar that others wrote, unmodified, against
// the real program, and pins what Zaqar's own integration tests pin.
//
//   - python-zaqarclient, openstacksdk and the openstack command line are driven
//     by the scripts in python/, which assert on what the clients return;
//   - gophercloud is driven from Go;
//   - the statements of the Tempest plugin are tables over plain HTTP;
//   - schemathesis sends what api/wire/openapi.yaml allows, and what it does not,
//     and holds the answers against it.
//
// The clients come from test/setup. A test whose client is missing is skipped,
// or fails where ZAQAR_TEST_REQUIRE is set.
package compat
