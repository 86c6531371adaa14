// Command zaqar is the whole product in one binary: the server, and what one
// needs around it.
package main

import "zaqar/cli"

// version is set by the linker: -X main.version=1.2.3.
var version string

func main() { cli.Main(cli.Program{Version: version}) }
