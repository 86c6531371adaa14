package confirm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"zaqar/messaging"
	"zaqar/messaging/delivery"
)

// Config is what documents are made with.
type Config struct {
	// Sign signs one request for the project until expires, in whole seconds
	// (notifications §12.1).
	Sign func(p messaging.Project, method, path string, expires time.Time) (signature string, err error)
	// Public tells where clients reach the HTTP and the WebSocket API, without
	// /v2; empty where that is not known. It does not fail: a document without
	// them can be used. nil: nothing is known.
	Public func(ctx context.Context) (http, websocket string)
	// Page is the page that mails point to, with everything it needs in its
	// query (external_confirmation_url). Empty: the page of this server, if
	// Public knows where that is.
	Page string
	// Subscribed and Unsubscribed are the mails; for empty members there are
	// texts of our own.
	Subscribed, Unsubscribed Template
}

// pagePath is where this server has the page that mails point to.
const pagePath = "/v2/confirm"

// Documents writes documents. It is safe for use by several goroutines.
type Documents struct{ config Config }

// New returns Documents.
func New(c Config) *Documents {
	if c.Sign == nil {
		panic("confirm: Config.Sign is required")
	}
	if c.Public == nil {
		c.Public = func(context.Context) (string, string) { return "", "" }
	}
	return &Documents{c}
}

// document is what webhooks get (notifications §11.3).
type document struct {
	Kind            delivery.Kind `json:"Message_Type"`
	Message         string        `json:"Message"`
	Signature       string        `json:"URL-Signature"`
	Methods         string        `json:"URL-Methods"`
	Paths           string        `json:"URL-Paths"`
	Expires         string        `json:"URL-Expires"`
	Project         string        `json:"X-Project-ID"`
	SubscribeBody   answer        `json:"SubscribeBody"`
	UnsubscribeBody answer        `json:"UnsubscribeBody"`
	Queue           string        `json:"queue_name"`
	URL             string        `json:"WSGISubscribeURL,omitempty"`
	WebSocketURL    string        `json:"WebSocketSubscribeURL,omitempty"`
}

// answer is the body of the request that a document signs.
type answer struct {
	Confirmed bool `json:"confirmed"`
}

// Render returns the document that asks for a confirmation of the
// subscription, or says that it is not confirmed any more: JSON, good until
// expires. Unsupported: there is no key to sign with, or no page for a mail to
// point to, and nothing can be sent.
func (d *Documents) Render(ctx context.Context, sub *messaging.Subscription, kind delivery.Kind, expires time.Time) ([]byte, error) {
	path := confirmPath(sub)
	signature, err := d.config.Sign(sub.Source.Project, http.MethodPut, path, expires)
	if err != nil {
		return nil, err
	}
	api, websocket := d.config.Public(ctx)
	doc := document{
		Kind: kind, Message: sentence(sub.Source, kind),
		Signature: signature, Methods: http.MethodPut, Paths: path, Expires: expires.UTC().Format("2006-01-02T15:04:05"),
		Project:       string(sub.Source.Project),
		SubscribeBody: answer{true}, UnsubscribeBody: answer{false},
		Queue: sub.Source.Name, URL: join(api, path), WebSocketURL: join(websocket, path),
	}
	if scheme, _, _ := strings.Cut(sub.Subscriber, ":"); strings.EqualFold(scheme, "mailto") {
		if _, err := d.page(&doc); err != nil {
			return nil, err
		}
	}
	return json.Marshal(doc)
}

// confirmPath is the path of the request with which the present subscriber confirms a
// subscription.
func confirmPath(sub *messaging.Subscription) string {
	kind := "queues"
	if sub.Source.Topic {
		kind = "topics"
	}
	return "/v2/" + kind + "/" + sub.Source.Name + "/subscriptions/" + string(sub.ConfirmationID()) + "/confirm"
}

func sentence(source messaging.QueueRef, kind delivery.Kind) string {
	what := "queue"
	if source.Topic {
		what = "topic"
	}
	if kind == delivery.UnsubscribeConfirmation {
		return fmt.Sprintf("You get no more messages of the %s %s. Confirm the subscription to get them again.", what, source.Name)
	}
	return fmt.Sprintf("You are asked whether you want the messages of the %s %s. None is sent before you confirm.", what, source.Name)
}

// join puts a path below the address of an API, whose own path stays
// (notifications §17, N-17). Catalogues may have the address with /v2.
func join(base, path string) string {
	if base == "" {
		return ""
	}
	return strings.TrimSuffix(strings.TrimRight(base, "/"), "/v2") + path
}

// page is the page that the mail points to.
func (d *Documents) page(doc *document) (string, error) {
	if d.config.Page != "" {
		return d.config.Page, nil
	}
	if base, found := strings.CutSuffix(doc.URL, doc.Paths); found && base != "" {
		return base + pagePath, nil
	}
	return "", messaging.E(messaging.Unsupported, "This server has no page for a mail to point to: neither external_confirmation_url nor where clients reach it is known ([notification] public_url).")
}

// Mail returns a document as a mail. Unsupported: no page is known that the
// mail could point to.
func (d *Documents) Mail(rendered []byte) (Mail, error) {
	var doc document
	if err := json.Unmarshal(rendered, &doc); err != nil {
		return Mail{}, errors.New("not a confirmation document")
	}
	page, err := d.page(&doc)
	if err != nil {
		return Mail{}, err
	}
	template := d.config.Subscribed.or(defaultSubscribed())
	if doc.Kind == delivery.UnsubscribeConfirmation {
		template = d.config.Unsubscribed.or(defaultUnsubscribed())
	}
	return Mail{
		Sender: template.Sender, Topic: template.Topic,
		Body: template.body(doc.Queue, doc.Project, doc.link(page)),
	}, nil
}
