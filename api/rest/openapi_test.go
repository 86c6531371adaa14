package rest_test

import (
	"net/http"
	"testing"
)

type description struct{}

func loadOpenAPI(t *testing.T) *description { return nil }

func (d *description) check(method, target string, h http.Header, body string, got *reply) error {
	return nil
}
