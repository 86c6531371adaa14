package app

import (
	"fmt"

	"zaqar/quota"
	"zaqar/storage"
)

// Quotas says what projects may have, and whether that is enforced.
type Quotas struct {
	Enabled bool
	quota.Config
}

// guard returns what enforces quotas, nil if nothing does.
func (a *App) guard(store storage.Control, data storage.Data, env storage.Env) (*quota.Guard, error) {
	if !a.options.Quotas.Enabled {
		return nil, nil
	}
	g, err := quota.New(a.options.Quotas.Config, quota.Parts{Control: store, Data: data, Now: env.Now, Log: a.log})
	if err != nil {
		return nil, fmt.Errorf("configuration: [quota] %w", err)
	}
	return g, nil
}
