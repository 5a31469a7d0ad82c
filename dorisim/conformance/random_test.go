package conformance

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/doris-ccr/ccr/doris/thriftgen/backendservice"
	"github.com/doris-ccr/ccr/doris/thriftgen/frontendservice"
	"github.com/doris-ccr/ccr/dorisim"
)

// TestRandomRequests fills the requests of every method at random, with unset
// fields and with ids that exist among them. Each is answered: a connection that
// ends without an answer is a handler that panicked.
func TestRandomRequests(t *testing.T) {
	_, s := private(t, func(cfg *dorisim.Config) {
		cfg.FEConfig = map[string]string{"commit_timeout_second": "0"}
		cfg.RetryPause = time.Millisecond
	})
	db := s.database()
	s.table(db, "orders", 1)
	table := s.tableMeta(db, "orders")
	partition := table.Partitions[0]
	tablet := partition.Indexes[0].Tablets[0]
	s.exec("INSERT INTO `%s`.`orders` VALUES (1, 1)", db)
	f := filler{
		random: rand.New(rand.NewPCG(1, 2)),
		numbers: []int64{-1, 0, 1, 1 << 62, table.GetID(), partition.GetID(), tablet.GetID(), tablet.Replicas[0].GetBackendID(),
			s.begin(db, table.GetID()), s.lastSeq(db)},
		texts: []string{"", db, "orders", "no_such", "127.0.0.1", "1", "__keep_on_local__", "reserve_replica", "true", "{}", `{"extra_info":{}}`, "\x1f\x8b\x08"},
	}
	const each = 150
	t.Run("frontend", func(t *testing.T) {
		f.callAll(t, s.fe, reflect.TypeFor[frontendservice.FrontendService](), each)
	})
	t.Run("backend", func(t *testing.T) {
		for _, b := range s.backends() {
			f.callAll(t, s.backend(b), reflect.TypeFor[backendservice.BackendService](), each)
		}
	})
	require.Len(t, s.query("SELECT * FROM `%s`.`orders`", db), 1)
}

// filler makes up requests.
type filler struct {
	random  *rand.Rand
	numbers []int64
	texts   []string
}

// callAll calls each method of a service n times.
func (f *filler) callAll(t *testing.T, client any, service reflect.Type, n int) {
	t.Helper()
	for i := range service.NumMethod() {
		name := service.Method(i).Name
		method := reflect.ValueOf(client).MethodByName(name)
		for range n {
			request := reflect.New(method.Type().In(1).Elem())
			f.fill(request.Elem())
			answer := method.Call([]reflect.Value{reflect.ValueOf(ctx), request})
			require.True(t, answer[1].IsNil(), "%s: %v\n%v", name, answer[1], request)
		}
	}
}

// fill sets about nine of ten fields.
func (f *filler) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if name := v.Type().Field(i).Name; name == "User" || strings.HasPrefix(name, "Passw") {
				value := map[bool]string{true: user, false: password}[name == "User"]
				v.Field(i).Set(reflect.ValueOf(&value))
				continue
			}
			if f.random.IntN(10) > 0 {
				f.fill(v.Field(i))
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			v.SetBytes([]byte(f.text()))
			return
		}
		v.Set(reflect.MakeSlice(v.Type(), f.random.IntN(3), 3))
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		f.fill(key)
		f.fill(value)
		v.SetMapIndex(key, value)
	case reflect.String:
		v.SetString(f.text())
	case reflect.Bool:
		v.SetBool(f.random.IntN(2) == 0)
	case reflect.Int, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(f.numbers[f.random.IntN(len(f.numbers))])
	}
}

func (f *filler) text() string { return f.texts[f.random.IntN(len(f.texts))] }
