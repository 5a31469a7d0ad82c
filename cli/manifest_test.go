package cli

import (
	"os"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"
	"go.yaml.in/yaml/v3"
)

// A file may have every key of create_ccr, and few others.
func TestManifestHasTheKeysOfCreate(t *testing.T) {
	text, err := os.ReadFile("../apiserver/openapi/components.yaml")
	require.NoError(t, err)
	var document struct {
		Schemas map[string]struct {
			Properties map[string]any `yaml:"properties"`
		} `yaml:"schemas"`
	}
	require.NoError(t, yaml.Unmarshal(text, &document))
	for schema, here := range map[string]struct {
		typ  reflect.Type
		more []string
	}{
		"CreateRequest":  {reflect.TypeFor[manifest](), []string{"paused"}},
		"ClusterRequest": {reflect.TypeFor[manifestSide](), []string{"password_file", "password_env"}},
	} {
		want := append([]string{}, here.more...)
		for key := range document.Schemas[schema].Properties {
			if key != "except_table" { // a manifest has one word for a thing: exclude_tables
				want = append(want, key)
			}
		}
		var keys []string
		for i := range here.typ.NumField() {
			if key := here.typ.Field(i).Tag.Get("yaml"); key != "" {
				keys = append(keys, key)
			}
		}
		require.ElementsMatch(t, want, keys, schema)
	}
}
