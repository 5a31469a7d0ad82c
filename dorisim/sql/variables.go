package sql

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/doris-ccr/ccr/dorisim/core"
	"github.com/doris-ccr/ccr/dorisim/parser"
)

// defaultVariables are the session variables that exist, with their defaults:
// those that MySQL clients ask for (doris-sql.md 1.2) and those that test
// suites set (5.5). It is never changed.
var defaultVariables = map[string]string{
	"auto_increment_increment":                     "1",
	"autocommit":                                   "true",
	"character_set_client":                         "utf8mb4",
	"character_set_connection":                     "utf8mb4",
	"character_set_database":                       "utf8mb4",
	"character_set_results":                        "utf8mb4",
	"character_set_server":                         "utf8mb4",
	"collation_connection":                         "utf8mb4_0900_bin",
	"collation_database":                           "utf8mb4_0900_bin",
	"collation_server":                             "utf8mb4_0900_bin",
	"batch_size":                                   "4064",
	"bypass_workload_group":                        "false",
	"cpu_resource_limit":                           "-1",
	"delete_without_partition":                     "false",
	"disable_file_cache":                           "false",
	"enable_agg_state":                             "false",
	"enable_common_expr_pushdown":                  "true",
	"enable_decimal256":                            "false",
	"enable_file_cache":                            "false",
	"enable_insert_strict":                         "true",
	"enable_match_without_inverted_index":          "true",
	"enable_nereids_planner":                       "true",
	"enable_page_cache":                            "true",
	"enable_parallel_scan":                         "true",
	"enable_profile":                               "false",
	"enable_query_cache":                           "false",
	"enable_sql_cache":                             "false",
	"enable_unicode_name_support":                  "false",
	"enable_unique_key_partial_update":             "false",
	"exec_mem_limit":                               "2147483648",
	"fallback_other_replica_when_fixed_corrupt":    "false",
	"foreign_key_checks":                           "true",
	"group_commit":                                 "off_mode",
	"init_connect":                                 "",
	"insert_max_filter_ratio":                      "1.0",
	"insert_timeout":                               "14400",
	"insert_visible_timeout_ms":                    "10000",
	"interactive_timeout":                          "3600",
	"inverted_index_skip_threshold":                "50",
	"license":                                      "Apache License, Version 2.0",
	"lower_case_table_names":                       "0",
	"max_allowed_packet":                           "1048576000",
	"max_execution_time":                           "900000",
	"net_buffer_length":                            "16384",
	"net_read_timeout":                             "600",
	"net_write_timeout":                            "600",
	"num_scanner_threads":                          "0",
	"parallel_fragment_exec_instance_num":          "8",
	"parallel_pipeline_task_num":                   "0",
	"performance_schema":                           "OFF",
	"query_cache_size":                             "1048576",
	"query_cache_type":                             "0",
	"query_timeout":                                "900",
	"resource_group":                               "",
	"return_object_data_as_binary":                 "false",
	"scan_queue_mem_limit":                         "107374182",
	"session_context":                              "",
	"show_hidden_columns":                          "false",
	"skip_bad_tablet":                              "false",
	"sql_auto_is_null":                             "false",
	"sql_mode":                                     "ONLY_FULL_GROUP_BY",
	"sql_safe_updates":                             "0",
	"sql_select_limit":                             "9223372036854775807",
	"system_time_zone":                             "UTC",
	"time_zone":                                    "UTC",
	"transaction_isolation":                        "READ-COMMITTED",
	"transaction_read_only":                        "false",
	"tx_isolation":                                 "READ-COMMITTED",
	"tx_read_only":                                 "OFF",
	"unique_checks":                                "true",
	"version":                                      serverVersion,
	"wait_timeout":                                 "28800",
	"workload_group":                               "",
	"skip_delete_predicate":                        "false",
	"skip_delete_sign":                             "false",
	"skip_delete_bitmap":                           "false",
	"skip_missing_version":                         "false",
	"use_fix_replica":                              "-1",
	"enable_insert_group_commit":                   "false",
	"random_add_cluster_keys_for_mow":              "false",
	"default_order_by_limit":                       "-1",
	"enable_auto_create_when_overwrite":            "false",
	"require_sequence_in_insert":                   "true",
	"enable_memtable_on_sink_node":                 "true",
	"enable_fallback_to_original_planner":          "true",
	"enable_variant_flatten_nested":                "false",
	"default_variant_enable_typed_paths_to_sparse": "false",
}

// variable returns the session's value of a variable.
func (s *session) variable(name string) (string, bool) {
	name = strings.ToLower(name)
	if v, ok := s.vars[name]; ok {
		return v, true
	}
	switch name {
	case "version_comment":
		return "Doris version " + s.server.cfg.Version, true
	case "connection_id":
		return cellText(int64(s.id)), true
	}
	v, ok := defaultVariables[name]
	return v, ok
}

// showVariables is SHOW [GLOBAL|SESSION] VARIABLES.
func (s *session) showVariables() *listing {
	l := newListing("Variable_name", "Value", "Default_Value", "Changed")
	defaults := maps.Clone(defaultVariables)
	defaults["version_comment"] = "Doris version " + s.server.cfg.Version
	for _, name := range slices.Sorted(maps.Keys(defaults)) {
		value, changed := defaults[name], "0"
		if v, ok := s.vars[name]; ok {
			value, changed = v, "1"
		}
		l.add(name, value, defaults[name], changed)
	}
	return l
}

// set is SET in all its forms. Values are kept as text; the few that matter are
// read where they matter.
func (s *session) set(ctx context.Context, c *cursor) (*sqltypes.Result, error) {
	switch {
	case c.keyword("NAMES"), c.keyword("CHARACTER", "SET"), c.keyword("CHARSET"),
		c.keyword("TRANSACTION"), c.keyword("SESSION", "TRANSACTION"), c.keyword("GLOBAL", "TRANSACTION"):
		return done(), nil
	case c.keyword("PASSWORD"):
		return s.setPassword(c)
	case c.keyword("PROPERTY"):
		return done(), nil
	}
	for {
		if err := s.setOne(ctx, c); err != nil {
			return nil, err
		}
		if !c.symbol(",") {
			return done(), c.finish()
		}
	}
}

func (s *session) setOne(ctx context.Context, c *cursor) error {
	if c.symbol("@") {
		return s.setUserVariable(ctx, c)
	}
	c.symbol("@@")
	global := false
	for t := c.peek(); t.Is("SESSION") || t.Is("GLOBAL") || t.Is("LOCAL"); t = c.peek() {
		global = global || t.Is("GLOBAL")
		c.next()
		c.symbol(".")
	}
	name, err := c.ident()
	if err != nil {
		return err
	}
	name = strings.ToLower(name)
	value, err := assigned(c)
	if err != nil {
		return err
	}
	fallback, ok := defaultVariables[name]
	if !ok {
		return core.CodeErrorf(codeUnknownVariable, "Unknown system variable '%s'", name)
	}
	if strings.EqualFold(value, "default") {
		value = fallback
	}
	if value, err = checkedVariable(name, value); err != nil {
		return err
	}
	if global {
		if err := s.needGlobal(core.AdminPriv, "ADMIN"); err != nil {
			return err
		}
	}
	s.vars[name] = value
	if ms, err := strconv.Atoi(value); err == nil && name == "max_execution_time" {
		s.vars["query_timeout"] = strconv.Itoa(ms / 1000)
	}
	if global {
		s.server.mu.Lock()
		defer s.server.mu.Unlock()
		s.server.globals[name] = value
	}
	return nil
}

// assigned consumes = or := and a value: a literal, a word, or an expression,
// which is kept as text.
func assigned(c *cursor) (string, error) {
	if !c.symbol("=") && !c.symbol(":=") {
		return "", c.mismatch()
	}
	if c.end() {
		return "", c.mismatch()
	}
	var parts []string
	for depth := 0; !c.end() && !c.peek().IsSymbol(";"); {
		t := c.peek()
		if depth == 0 && t.IsSymbol(",") {
			break
		}
		switch {
		case t.IsSymbol("("):
			depth++
		case t.IsSymbol(")"):
			depth--
		}
		parts = append(parts, c.next().Text)
	}
	return strings.Join(parts, ""), nil
}

// setPassword knows SET PASSWORD [FOR user] = PASSWORD('x') and = 'x'.
func (s *session) setPassword(c *cursor) (*sqltypes.Result, error) {
	user := s.account()
	if c.keyword("FOR") {
		var err error
		if user, err = userIdentity(c); err != nil {
			return nil, err
		}
	}
	if user.Name != s.user {
		if err := s.needGlobal(core.GrantPriv, "GRANT"); err != nil {
			return nil, err
		}
	}
	for !c.end() && c.peek().Kind != parser.String {
		c.next()
	}
	password, err := c.text()
	if err != nil {
		return nil, err
	}
	if err := s.changeAccount(user, func(u *core.User) { u.Password = password }); err != nil {
		return nil, err
	}
	return done(), nil
}
