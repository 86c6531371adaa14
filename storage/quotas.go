package storage

import (
	"context"

	"zaqar/messaging"
)

// Quotas keeps what administrators granted to single projects.
type Quotas interface {
	// PutQuota stores the quota of its project in place of an earlier one.
	PutQuota(ctx context.Context, q messaging.Quota) error
	// Quota returns the quota of the project, or NotFound.
	Quota(ctx context.Context, p messaging.Project) (messaging.Quota, error)
	// Quotas returns up to limit quotas ascending byte-wise by project,
	// strictly after the given one, which need not have any.
	Quotas(ctx context.Context, after messaging.Project, limit int) ([]messaging.Quota, error)
	// DeleteQuota removes the quota of the project.
	DeleteQuota(ctx context.Context, p messaging.Project) error
}
