// Command custom is Zaqar with a stage and a store of its own: an example of
// how to build one, explained in docs/extending.md.
package main

import (
	"zaqar/app"
	"zaqar/cli"
	"zaqar/pipeline"
)

func main() {
	cli.Main(cli.Program{
		Version: "custom",
		Extensions: app.Extensions{
			Stages:  pipeline.Stages{"example.words": refuseWords("classified")},
			Drivers: []app.Driver{{Name: "capped", Open: openCapped}},
		},
	})
}
