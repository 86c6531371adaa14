package rest

import (
	"log/slog"
	"net/http/httptest"
	"testing"
)

// Somebody may still use what a request read that did not end as it should.
func TestMemoryOfAPanicIsNotUsedAgain(t *testing.T) {
	w := httptest.NewRecorder()
	c := &call{server: &server{log: slog.New(slog.DiscardHandler)}, w: w, r: httptest.NewRequest("POST", "/", nil)}
	before := c.memory()
	func() {
		defer c.recover()
		panic("a defect")
	}()
	if w.Code != 500 || c.memory() == before {
		t.Errorf("status %d, with the same memory: %v", w.Code, c.memory() == before)
	}
}
