package rest

import "maps"

// Routes returns the methods of every path the server answers to.
func Routes(c Config) map[string][]string {
	paths := map[string][]string{}
	for _, r := range routes(c) {
		for method := range maps.Keys(r.on) {
			paths[r.path] = append(paths[r.path], method)
		}
	}
	return paths
}

// AppendRequest is what a parked request is read from again.
var AppendRequest = appendRequest
