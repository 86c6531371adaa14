package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"zaqar/messaging"
	"zaqar/pipeline"
)

// Name is what the configuration calls the stage.
const Name = "zaqar.http"

// Config says which service is asked.
type Config struct {
	URL     string        // http or https
	Token   string        // sent as Authorization: Bearer; empty: nothing is sent
	Timeout time.Duration // for an answer
	// Pass lets operations pass that could not be asked about. Else they are
	// refused.
	Pass bool
}

// largestAnswer is how much of an answer is read beyond the size of the question,
// in bytes. longestText is how much of a description clients get.
const (
	largestAnswer = 64 << 10
	longestText   = 1000
)

// Check refuses a URL that nobody can be asked at.
func (c Config) Check() error {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return errors.New("its url must be one of http or https")
	case u.User != nil:
		return errors.New("its url may hold no password; there is token for that")
	}
	return nil
}

// Stage returns what makes the stage. That fails if Check does.
func Stage(c Config) func(pipeline.Env) (pipeline.Stage, error) {
	return func(env pipeline.Env) (pipeline.Stage, error) {
		if err := c.Check(); err != nil {
			return pipeline.Stage{}, err
		}
		a := &asker{Config: c, log: env.Log, client: client()}
		return pipeline.Stage{
			Messages:      func(next pipeline.MessageStore) pipeline.MessageStore { return &messages{next, a} },
			Claims:        func(next pipeline.ClaimStore) pipeline.ClaimStore { return &claims{next, a} },
			Subscriptions: func(next pipeline.SubscriptionStore) pipeline.SubscriptionStore { return &subscriptions{next, a} },
			Queues:        func(next pipeline.QueueStore) pipeline.QueueStore { return &queues{next, a} },
		}, nil
	}
}

// client keeps connections for as many requests as there usually are, and
// follows nobody anywhere.
func client() *http.Client {
	return &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: time.Minute, DisableCompression: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// asker asks the service.
type asker struct {
	Config
	log    *slog.Logger
	client *http.Client
}

// question describes an operation.
type question struct {
	Operation string            `json:"operation"`
	Project   messaging.Project `json:"project"`
	Queue     string            `json:"queue,omitempty"`
	Topic     string            `json:"topic,omitempty"`
	Caller    *caller           `json:"caller,omitempty"`

	Messages   []message                `json:"messages,omitempty"`
	IDs        []messaging.MessageID    `json:"ids,omitempty"`
	Limit      int                      `json:"limit,omitempty"`
	TTL        int64                    `json:"ttl,omitempty"`
	Grace      *int64                   `json:"grace,omitempty"`
	Subscriber string                   `json:"subscriber,omitempty"`
	Options    json.RawMessage          `json:"options,omitempty"`
	ID         messaging.SubscriptionID `json:"id,omitempty"`
	Metadata   json.RawMessage          `json:"metadata,omitempty"`
}

type caller struct {
	User    string             `json:"user,omitempty"`
	Roles   []string           `json:"roles,omitempty"`
	Client  messaging.ClientID `json:"client,omitempty"`
	Address string             `json:"address,omitempty"`
	Request string             `json:"request,omitempty"`
}

type message struct {
	TTL       int64           `json:"ttl"`
	Delay     int64           `json:"delay"`
	Body      json.RawMessage `json:"body,omitempty"`
	Encrypted bool            `json:"encrypted,omitempty"`
}

// answer is what the service may say.
type answer struct {
	Description string `json:"description"`
	Messages    []struct {
		Body json.RawMessage `json:"body"`
	} `json:"messages"`
}

// ask asks about an operation on a queue or topic. The error is the answer for
// the client.
func (a *asker) ask(ctx context.Context, q messaging.QueueRef, o question) (answer, error) {
	o.Project, o.Queue = q.Project, q.Name
	if q.Topic {
		o.Queue, o.Topic = "", q.Name
	}
	if who, ok := pipeline.Caller(ctx); ok {
		o.Caller = &caller{User: who.User, Roles: who.Roles, Client: who.Client, Request: who.Request}
		if who.Address.IsValid() {
			o.Caller.Address = who.Address.String()
		}
	}
	said, err := a.send(ctx, &o)
	var refusal *messaging.Error
	switch {
	case err == nil, errors.As(err, &refusal):
		return said, err
	case ctx.Err() != nil: // nobody waits any more
		return answer{}, messaging.Wrap(messaging.Unavailable, "The request was given up before it was done.", ctx.Err())
	case a.Pass:
		a.log.Warn("the stage could not ask; the operation passes", "stage", Name, "operation", o.Operation, "error", err)
		return answer{}, nil
	}
	return answer{}, messaging.Wrap(messaging.Unavailable, "This could not be checked.", err)
}

// send asks once. Errors that are no messaging.Error are failures.
func (a *asker) send(ctx context.Context, o *question) (said answer, err error) {
	body, err := json.Marshal(o)
	if err != nil {
		return said, err
	}
	ctx, cancel := context.WithTimeout(ctx, a.Timeout)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, a.URL, bytes.NewReader(body))
	if err != nil {
		return said, err
	}
	r.Header.Set("Content-Type", "application/json")
	if a.Token != "" {
		r.Header.Set("Authorization", "Bearer "+a.Token)
	}
	got, err := a.client.Do(r)
	if err != nil {
		return said, err
	}
	defer got.Body.Close()
	most := int64(len(body)) + largestAnswer
	text, err := io.ReadAll(io.LimitReader(got.Body, most+1))
	switch {
	case err != nil:
		return said, err
	case int64(len(text)) > most:
		return said, fmt.Errorf("an answer of more than %d bytes", most)
	}
	return judge(got.StatusCode, bytes.TrimSpace(text))
}

// judge makes of an answer what it means.
func judge(status int, text []byte) (said answer, err error) {
	kind, refused := refusals(status)
	passed := status >= 200 && status < 300
	if !passed && !refused {
		return said, fmt.Errorf("an answer with status %d", status)
	}
	if len(text) > 0 {
		if err := json.Unmarshal(text, &said); err != nil && passed {
			return answer{}, errors.New("an answer that cannot be read")
		}
	}
	if passed {
		return said, nil
	}
	what := said.Description
	if what == "" || len(what) > longestText {
		what = "The request was refused."
	}
	return answer{}, messaging.E(kind, what)
}

func refusals(status int) (messaging.Kind, bool) {
	switch status {
	case http.StatusBadRequest:
		return messaging.Invalid, true
	case http.StatusForbidden:
		return messaging.Denied, true
	case http.StatusNotFound:
		return messaging.NotFound, true
	case http.StatusConflict:
		return messaging.Conflict, true
	case http.StatusTooManyRequests:
		return messaging.Exceeded, true
	}
	return "", false
}
