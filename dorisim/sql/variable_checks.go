package sql

import (
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/doris-ccr/ccr/dorisim/core"
)

// Variables whose values are checked, by their types; those of the others are
// kept as they come.
var (
	dataVolumes = []string{"exec_mem_limit", "scan_queue_mem_limit"}
	integers    = []string{
		"batch_size", "cpu_resource_limit", "insert_timeout", "max_execution_time", "num_scanner_threads", "parallel_fragment_exec_instance_num",
		"parallel_pipeline_task_num", "query_timeout", "use_fix_replica",
	}
	booleans = []string{
		"bypass_workload_group", "disable_file_cache", "enable_file_cache", "enable_page_cache", "enable_parallel_scan", "enable_profile",
		"enable_query_cache", "enable_sql_cache", "fallback_other_replica_when_fixed_corrupt", "return_object_data_as_binary", "show_hidden_columns",
		"skip_bad_tablet", "skip_delete_bitmap", "skip_delete_sign",
	}
	// least are the smallest values of integers that have any.
	least = map[string]int{"parallel_fragment_exec_instance_num": 1, "parallel_pipeline_task_num": 0}
)

// checkedVariable refuses a value that is not of the variable's type, and spells
// out units of memory (doris-sql.md 1.6).
func checkedVariable(name, value string) (string, error) {
	switch {
	case slices.Contains(dataVolumes, name):
		return dataVolume(value)
	case slices.Contains(booleans, name):
		if !slices.Contains([]string{"on", "off", "true", "false", "1", "0"}, strings.ToLower(value)) {
			return "", core.CodeErrorf(codeWrongValue, "Variable '%s' can't be set to the value of '%s'", name, value)
		}
	case slices.Contains(integers, name):
		n, err := strconv.ParseInt(value, 10, 32)
		if err != nil {
			return "", core.CodeErrorf(codeWrongType, "Incorrect argument type to variable '%s'", name)
		}
		if floor, ok := least[name]; ok && n < int64(floor) {
			return "", core.Errorf("%s value should greater than or equal %d, you set value is: %d", name, floor, n)
		}
		if name == "query_timeout" && n <= 0 {
			return "", core.Errorf("query_timeout can not be set to %d, it must be greater than 0", n)
		}
	}
	return value, nil
}

var volumePattern = regexp.MustCompile(`^(\d+)(\D*)$`)

// dataVolume reads a number of bytes with a unit: 2G.
func dataVolume(text string) (string, error) {
	parts := volumePattern.FindStringSubmatch(text)
	if parts == nil {
		return "", core.Errorf("invalid data volumn expression:%s", text) // sic
	}
	n, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return "", core.Errorf("invalid data volumn:%s", parts[1])
	}
	if n <= 0 {
		return "", core.Errorf("Data volumn must larger than 0")
	}
	unit := strings.TrimSuffix(strings.ToUpper(parts[2]), "B")
	power := strings.Index("KMGTP", unit) + 1
	switch {
	case unit == "" && len(parts[2]) <= 1:
		power = 0
	case len(unit) != 1 || power == 0:
		return "", core.Errorf("invalid unit:%s", parts[2])
	}
	return strconv.FormatInt(n*int64(math.Pow(1024, float64(power))), 10), nil
}
