package importer

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
)

// ReadSyncerConfig reads the store's settings out of a configuration file of the
// existing syncer (http-api.md 4.3: key=value a line, # comments) into c. Other
// keys are passed over, what the file does not say is left alone.
func ReadSyncerConfig(path string, c *StoreConfig) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("read the syncer's configuration: %w", err)
	}
	defer f.Close()
	texts := map[string]*string{
		"db_type": &c.Type, "db_dir": &c.File, "db_host": &c.Host, "db_user": &c.User,
		"db_password": &c.Password, "db_name": &c.Name,
	}
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		key, value, ok := strings.Cut(line, "=")
		if !ok {
			return fmt.Errorf("%s line %d: not key=value", path, n) // the line itself may be a secret
		}
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		if to, known := texts[key]; known {
			*to = value
		}
		if key == "db_port" {
			if c.Port, err = strconv.Atoi(value); err != nil {
				return fmt.Errorf("%s line %d: db_port is not a number", path, n)
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	return nil
}
