package config

import (
	"net/url"
	"slices"
	"strings"

	"zaqar/app"
	"zaqar/auth/keystone"
)

// publicURL is an address that others are told: it holds no secret, and paths
// can be put below it.
func publicURL(schemes ...string) kind[string] {
	k := text()
	k.parse = func(s string) (string, error) {
		u, err := url.Parse(s)
		switch {
		case s == "":
			return "", nil
		case err != nil, !slices.Contains(schemes, u.Scheme), u.Hostname() == "", u.User != nil, u.Fragment != "":
			return "", errBad
		}
		return s, nil
	}
	k.allowed = schemes[0] + ":// or " + schemes[1] + "://, a host, and a path if need be"
	return k
}

// pipelines reports stages that the program does not have, and leaves them out.
func (c *rules) pipelines() {
	p := &c.Pipelines
	for key, list := range map[string]*[]string{
		"queue_pipeline": &p.Queue, "topic_pipeline": &p.Topic, "message_pipeline": &p.Message,
		"claim_pipeline": &p.Claim, "subscription_pipeline": &p.Subscription,
	} {
		*list = slices.DeleteFunc(slices.Clone(*list), func(name string) bool {
			switch {
			case name == app.StageHTTP:
				if err := c.Hook.Check(); err != nil {
					c.refuse("storage", key, "%s cannot be asked: %v ([pipeline:http])", name, err)
				}
				return false
			case slices.Contains(c.stages, name):
				return false
			case p.Strict:
				c.refuse("storage", key, "there is no stage %s", name)
			default:
				c.warn("storage", key, "there is no stage %s; it is left out", name)
			}
			return true
		})
	}
}

// mail chooses how mail is sent, and refuses what cannot work.
func (c *rules) mail() {
	c.Mail.SMTP = c.smtpMode == "self_local"
	if !c.Mail.SMTP {
		return
	}
	if c.Mail.Server.Host == "" {
		c.refuse("notification", "smtp_mode", "self_local needs smtp_host")
		return
	}
	if err := c.Mail.Server.Check(); err != nil {
		c.refuse("notification", "smtp_user_name", "%v", err)
	}
	if c.Mail.TLS.Insecure {
		c.warn("notification", "smtp_insecure", "the mail server's certificate is not checked: whoever answers in its place gets the password and all mail")
	}
}

// trustee refuses a trustee that cannot log in.
func (c *rules) trustee() {
	k := &c.Trustee.Keystone
	if k.AuthURL == "" {
		if k.Login.Username != "" || k.Login.UserID != "" {
			c.warn("trustee", "username", "there is no auth_url: subscribers with trust+http and trust+https are answered 503")
		}
		return
	}
	k.Login.Method = keystone.Password
	if err := k.Check(); err != nil {
		c.refuse("trustee", "auth_url", "%v", err)
	}
	if c.Trustee.TLS.Insecure {
		c.warn("trustee", "insecure", "the identity service's certificate is not checked: whoever answers in its place gets the password and the tokens of subscribers")
	}
}

// confirmation warns of confirmations that cannot be made.
func (c *rules) confirmation() {
	required, _ := c.values.raw(optionID{"notification", "require_confirmation"})
	if on, err := boolean().parse(required); err == nil && on && c.SignedURL.Key == "" {
		c.warn("notification", "require_confirmation", "there is no [signed_url] secret_key: subscribers are not asked, and get nothing unless they are confirmed with a token")
	}
}

// subscriberTypes refuses schemes that nothing delivers to, and spellings that
// no subscriber has.
func (c *rules) subscriberTypes() {
	served := app.Defaults().Broker.SubscriberTypes
	for _, scheme := range c.Broker.SubscriberTypes {
		switch lower := strings.ToLower(scheme); {
		case slices.Contains(served, scheme):
		case slices.Contains(served, lower):
			c.refuse("transport", "subscriber_types", "%q has to be written %s", scheme, lower)
		default:
			c.refuse("transport", "subscriber_types", "%q is a scheme to which this version does not deliver; there are %s", scheme, strings.Join(served, ", "))
		}
	}
}
