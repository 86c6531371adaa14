package history

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"

	"zaqar/storage/storagetest/history"
)

// target is a server as package history sees it.
type target struct {
	base   string
	client *http.Client
}

// answer is the part of all answers that matters here.
type answer struct {
	status    int
	location  string
	Resources []string
	Messages  []struct{ ID, Body string }
}

func (a answer) messages() []history.Message {
	var out []history.Message
	for _, m := range a.Messages {
		out = append(out, history.Message{ID: m.ID, Body: m.Body})
	}
	return out
}

// do sends a request. Other statuses than those wanted are errors.
func (t target) do(ctx context.Context, method, ref string, body any, want ...int) (a answer, err error) {
	var data []byte
	if body != nil {
		if data, err = json.Marshal(body); err != nil {
			return a, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, t.base+"/v2/queues/"+ref, bytes.NewReader(data))
	if err != nil {
		return a, err
	}
	req.Header.Set("Client-ID", "9b1c7f3e-6d3b-4b57-a6a5-0f1c5a7a9f10")
	req.Header.Set("X-Project-ID", "history")
	req.Header.Set("Content-Type", "application/json")
	res, err := t.client.Do(req)
	if err != nil {
		return a, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return a, err
	}
	a.status, a.location = res.StatusCode, res.Header.Get("Location")
	for _, s := range want {
		if a.status != s {
			continue
		}
		if len(text) > 0 && a.status < 300 {
			err = json.Unmarshal(text, &a)
		}
		return a, err
	}
	return a, fmt.Errorf("%s %s: status %d: %.300s", method, ref, a.status, text)
}

func seconds(d time.Duration) int { return int(d / time.Second) }

// Post implements history.Target.
func (t target) Post(ctx context.Context, queue string, bodies []string) ([]string, error) {
	var list []map[string]any
	for _, b := range bodies {
		list = append(list, map[string]any{"ttl": 1_000_000, "body": b})
	}
	a, err := t.do(ctx, "POST", queue+"/messages", map[string]any{"messages": list}, http.StatusCreated)
	var ids []string
	for _, ref := range a.Resources {
		ids = append(ids, path.Base(ref))
	}
	return ids, err
}

// Claim implements history.Target.
func (t target) Claim(ctx context.Context, queue string, ttl time.Duration, limit int) (string, []history.Message, error) {
	a, err := t.do(ctx, "POST", fmt.Sprintf("%s/claims?limit=%d", queue, limit),
		map[string]any{"ttl": seconds(ttl), "grace": 60}, http.StatusCreated, http.StatusNoContent)
	if err != nil || a.status == http.StatusNoContent {
		return "", nil, err
	}
	return path.Base(a.location), a.messages(), nil
}

// Renew implements history.Target.
func (t target) Renew(ctx context.Context, queue, claim string, ttl time.Duration) (bool, error) {
	a, err := t.do(ctx, "PATCH", queue+"/claims/"+claim,
		map[string]any{"ttl": seconds(ttl), "grace": 60}, http.StatusNoContent, http.StatusNotFound)
	return a.status == http.StatusNoContent, err
}

// Held implements history.Target.
func (t target) Held(ctx context.Context, queue, claim string) ([]history.Message, bool, error) {
	a, err := t.do(ctx, "GET", queue+"/claims/"+claim, nil, http.StatusOK, http.StatusNotFound)
	return a.messages(), a.status == http.StatusOK, err
}

// Release implements history.Target.
func (t target) Release(ctx context.Context, queue, claim string) error {
	_, err := t.do(ctx, "DELETE", queue+"/claims/"+claim, nil, http.StatusNoContent)
	return err
}

// Remove implements history.Target.
func (t target) Remove(ctx context.Context, queue, id, claim string) (bool, error) {
	ref := queue + "/messages/" + id
	refusals := []int{http.StatusForbidden}
	if claim != "" {
		ref += "?claim_id=" + url.QueryEscape(claim)
		refusals = append(refusals, http.StatusBadRequest)
	}
	a, err := t.do(ctx, "DELETE", ref, nil, append(refusals, http.StatusNoContent)...)
	return a.status == http.StatusNoContent, err
}

// Pop implements history.Target.
func (t target) Pop(ctx context.Context, queue string, limit int) ([]history.Message, error) {
	a, err := t.do(ctx, "DELETE", fmt.Sprintf("%s/messages?pop=%d", queue, limit), nil, http.StatusOK)
	return a.messages(), err
}

// Look implements history.Target.
func (t target) Look(ctx context.Context, queue string, ids []string) ([]history.Message, error) {
	a, err := t.do(ctx, "GET", queue+"/messages?ids="+strings.Join(ids, ","), nil, http.StatusOK, http.StatusNotFound)
	return a.messages(), err
}
