//go:build race

package rest_test

const raced = true
