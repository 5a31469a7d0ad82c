package worker

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/api/serviceerror"
	"go.temporal.io/sdk/client"

	"github.com/doris-ccr/ccr/job"
)

// searchAttributes are the attributes of jobs, all of type Keyword.
var searchAttributes = []string{
	job.SearchAttributeSyncType,
	job.SearchAttributeSyncState,
	job.SearchAttributeJobState,
	job.SearchAttributeSourceDatabase,
	job.SearchAttributeDestinationDatabase,
}

// searchAttributePoll is the pause between looks at attributes that have been
// added but are not there yet: servers read their namespace every few seconds.
const searchAttributePoll = 200 * time.Millisecond

// EnsureSearchAttributes registers the search attributes of jobs in the
// namespace and waits until the server knows them: without them a job cannot
// even start. It changes nothing when they are there. ctx bounds the wait.
func EnsureSearchAttributes(ctx context.Context, c client.Client, namespace string) error {
	if namespace == "" {
		namespace = client.DefaultNamespace
	}
	missing, err := missingSearchAttributes(ctx, c, namespace)
	if err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	_, err = c.OperatorService().AddSearchAttributes(ctx, &operatorservice.AddSearchAttributesRequest{
		Namespace:        namespace,
		SearchAttributes: missing,
	})
	var exists *serviceerror.AlreadyExists
	if err != nil && !errors.As(err, &exists) { // another process may be faster
		return fmt.Errorf("add search attributes to namespace %s: %w", namespace, err)
	}
	for {
		if missing, err = missingSearchAttributes(ctx, c, namespace); err != nil {
			return err
		}
		if len(missing) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the search attributes of namespace %s: %w", namespace, ctx.Err())
		case <-time.After(searchAttributePoll):
		}
	}
}

func missingSearchAttributes(ctx context.Context, c client.Client, namespace string) (map[string]enumspb.IndexedValueType, error) {
	known, err := c.OperatorService().ListSearchAttributes(ctx, &operatorservice.ListSearchAttributesRequest{Namespace: namespace})
	if err != nil {
		return nil, fmt.Errorf("list search attributes of namespace %s: %w", namespace, err)
	}
	missing := map[string]enumspb.IndexedValueType{}
	for _, name := range searchAttributes {
		kind, ok := known.GetCustomAttributes()[name]
		switch {
		case !ok:
			missing[name] = enumspb.INDEXED_VALUE_TYPE_KEYWORD
		case kind != enumspb.INDEXED_VALUE_TYPE_KEYWORD:
			return nil, fmt.Errorf("search attribute %s of namespace %s is of type %s, want Keyword", name, namespace, kind)
		}
	}
	return missing, nil
}
