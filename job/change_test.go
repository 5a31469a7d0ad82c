package job

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/meta"
)

func sealedAs(text string) *Sealed { s := Sealed(text); return &s }

func TestCheckCredentials(t *testing.T) {
	for name, c := range map[string]struct {
		changes ClusterChanges
		want    error
	}{
		"nothing":              {ClusterChanges{}, ErrNoCredentials},
		"empty sides":          {ClusterChanges{Src: &ClusterChange{}, Dest: &ClusterChange{}}, ErrNoCredentials},
		"a user":               {ClusterChanges{Src: &ClusterChange{User: "ccr"}}, nil},
		"a sealed password":    {ClusterChanges{Dest: &ClusterChange{Password: sealedAs("ccr1:0a0b0c0d:box")}}, nil},
		"no password any more": {ClusterChanges{Dest: &ClusterChange{Password: sealedAs("")}}, nil},
		"clear text":           {ClusterChanges{Src: &ClusterChange{User: "ccr"}, Dest: &ClusterChange{Password: sealedAs("s3cret")}}, ErrNotSealed},
	} {
		err := c.changes.CheckCredentials()
		require.ErrorIs(t, err, c.want, name)
		if err != nil {
			require.NotContains(t, err.Error(), "s3cret", "the refusal goes to events and logs")
		}
	}
}

// What is not named stays.
func TestChangeOfASpec(t *testing.T) {
	before := Spec{
		Source:      Cluster{Host: "fe1", User: "root", Password: "ccr1:k:old"},
		Destination: Cluster{Host: "fe2", User: "root", Password: "ccr1:k:old"},
	}
	s := before
	s.Change(ClusterChanges{Src: &ClusterChange{User: "ccr"}})
	require.Equal(t, Cluster{Host: "fe1", User: "ccr", Password: "ccr1:k:old"}, s.Source)
	require.Equal(t, before.Destination, s.Destination)
	s.Change(ClusterChanges{Dest: &ClusterChange{Password: sealedAs("ccr1:k:new")}})
	require.Equal(t, Cluster{Host: "fe2", User: "root", Password: "ccr1:k:new"}, s.Destination)
	s.Change(ClusterChanges{Dest: &ClusterChange{Password: sealedAs("")}})
	require.Empty(t, s.Destination.Password)
}

// A change shows no password, however it is printed.
func TestAChangePrintsNoPassword(t *testing.T) {
	c := Command{ClusterChanges: ClusterChanges{Src: &ClusterChange{Password: sealedAs("ccr1:k:box")}}}
	for _, format := range []string{"%v", "%+v", "%s", "%#v"} {
		require.NotContains(t, fmt.Sprintf(format, *c.Src.Password), "box", format)
	}
	encoded, err := json.Marshal(c)
	require.NoError(t, err)
	require.JSONEq(t, `{"src":{"password":"ccr1:k:box"}}`, string(encoded))
}

// An address changes with its frontends, a login leaves them as they are.
func TestChangeOfAnAddress(t *testing.T) {
	s := Spec{Source: Cluster{Host: "fe1", Port: 9030, ThriftPort: 9020, User: "root", Frontends: []meta.Frontend{{Host: "fe1"}, {Host: "fe2"}}}}
	s.Change(ClusterChanges{Src: &ClusterChange{User: "ccr"}})
	require.Len(t, s.Source.Frontends, 2)
	s.Change(ClusterChanges{Src: &ClusterChange{Port: 9031}})
	require.Equal(t, Cluster{Host: "fe1", Port: 9031, ThriftPort: 9020, User: "ccr"}, s.Source)
	s.Change(ClusterChanges{Src: &ClusterChange{Host: "fe9", Frontends: []meta.Frontend{{Host: "fe9"}}}})
	require.Equal(t, Cluster{Host: "fe9", Port: 9031, ThriftPort: 9020, User: "ccr", Frontends: []meta.Frontend{{Host: "fe9"}}}, s.Source)
}
