package config

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"zaqar/app"
	"zaqar/auth/policy"
)

// Outcome is how a check of a configuration ended.
type Outcome string

// The outcomes, best first.
const (
	Success Outcome = "success"
	Caution Outcome = "warning"
	Failure Outcome = "failure"
)

// Check is one check of what an operator brings along (operations §7.6).
type Check struct {
	Name    string   `json:"check"`
	Result  Outcome  `json:"result"`
	Details []string `json:"details"`
}

// say adds a detail; the worst one decides the result.
func (c *Check) say(o Outcome, format string, args ...any) {
	rank := []Outcome{Success, Caution, Failure}
	if slices.Index(rank, o) > slices.Index(rank, c.Result) {
		c.Result = o
	}
	c.Details = append(c.Details, fmt.Sprintf(format, args...))
}

// UpgradeChecks looks at a configuration with the eyes of someone who comes
// from the older server. Every finding of Load is in one of the checks.
func UpgradeChecks(src Sources) (*Config, []Check) {
	c, report := Load(src)
	var r Report
	x := newIndex(table())
	layers, headers, files := src.read(&r)
	layers = append(layers, src.environment(x, &Report{}), src.flags())
	u := &upgrade{values: &values{x, layers, reference()}, files: files, rest: slices.Clone(report)}
	return c, []Check{
		u.unknownKeys(headers), u.policyFile(c.Options.Policy), u.encryptionKey(), u.secretKey(), u.swift(), u.stores(), u.virtualPool(),
		u.others("options without effect and other warnings", Caution), u.others("errors", Failure),
	}
}

// upgrade is the state of the checks.
type upgrade struct {
	values *values
	files  []string
	rest   Report // findings that no check has taken yet
}

// take moves the findings that match to the check.
func (u *upgrade) take(c *Check, match func(Finding) bool) {
	u.rest = slices.DeleteFunc(u.rest, func(f Finding) bool {
		if !match(f) {
			return false
		}
		c.say(outcome(f.Severity), "%s", f)
		return true
	})
}

func outcome(s Severity) Outcome {
	if s == Error {
		return Failure
	}
	return Caution
}

func (u *upgrade) check(name string) Check {
	return Check{Name: name, Result: Success, Details: []string{}}
}

// text returns the value of an option, "" if it is not set.
func (u *upgrade) text(section, key string) string {
	text, _ := u.values.raw(optionID{section, key})
	if _, set := u.values.set(section, key); !set {
		return ""
	}
	return text
}

func (u *upgrade) unknownKeys(headers []assignment) Check {
	c := u.check("configuration keys that are not understood")
	var unknown Report
	warnUnknown(u.values, headers, &unknown)
	u.take(&c, func(f Finding) bool { return slices.Contains(unknown, f) })
	return c
}

// policyFile reports what is odd about files of rules. JSON fails the check, as
// it does in the original's.
func (u *upgrade) policyFile(at app.Policy) Check {
	c := u.check("policy file")
	_, _, sources := at.Load()
	for _, path := range sources {
		if text, err := os.ReadFile(path); err == nil && (policy.File{Text: text}).IsJSON() {
			c.say(Failure, "%s is in JSON, which has been given up for YAML; convert it with oslopolicy-convert-json-to-yaml, or move it away", path)
		}
	}
	u.take(&c, func(f Finding) bool { return f.Section == "oslo_policy" })
	return c
}

func (u *upgrade) encryptionKey() Check {
	c := u.check("encryption key")
	u.take(&c, func(f Finding) bool {
		return f.Section == "transport" && strings.HasPrefix(f.Key, "message_encryption_")
	})
	if u.text("transport", "message_encryption_key") == "" && u.text("transport", "message_encryption_keys") == "" {
		c.say(Caution, "no key is set: older servers then used one that everybody knows. Queues with encryption need one here: set [transport] message_encryption_keys")
	}
	return c
}

func (u *upgrade) secretKey() Check {
	c := u.check("secret of pre-signed URLs")
	if u.text("signed_url", "secret_key") == "" {
		c.say(Caution, "[signed_url] secret_key is not set: URLs cannot be signed, and those given out by another server are not valid here")
	}
	u.take(&c, func(f Finding) bool { return f.Section == "signed_url" })
	return c
}

func (u *upgrade) swift() Check {
	c := u.check("Swift as a store")
	isSwift := func(f Finding) bool {
		return f.Section == "drivers" && u.text("drivers", f.Key) == "swift"
	}
	u.take(&c, isSwift)
	u.take(&c, func(f Finding) bool { return f.Section == "drivers:message_store:swift" })
	return c
}

func (u *upgrade) stores() Check {
	c := u.check("stores")
	u.take(&c, func(f Finding) bool {
		return f.Section == "drivers" && f.Key != "transport" || strings.Contains(f.Section, "_store:")
	})
	return c
}

func (u *upgrade) virtualPool() Check {
	c := u.check("virtual pool")
	on, err := boolean().parse(u.text("pooling:catalog", "enable_virtual_pool"))
	if err == nil && on {
		c.say(Caution, "[pooling:catalog] enable_virtual_pool is on: queues that are in no pool are not found by other settings")
	}
	u.take(&c, func(f Finding) bool { return f.Section == "pooling:catalog" })
	return c
}

// others takes all findings of one outcome that are left.
func (u *upgrade) others(name string, o Outcome) Check {
	c := u.check(name)
	u.take(&c, func(f Finding) bool { return outcome(f.Severity) == o })
	return c
}
