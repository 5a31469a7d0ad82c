package fe

import "fmt"

// UnmappedHostError: the cluster names a host that this process cannot reach,
// because the host mapping has no entry for it.
type UnmappedHostError struct{ Host string }

// Error implements error.
func (e *UnmappedHostError) Error() string {
	return fmt.Sprintf("the public ip of %s is not found, add it to the host mapping with update_host_mapping", e.Host)
}

// MapHost returns the address under which this process, or the other cluster,
// reaches a host of the cluster (doris-rpc.md 5.4). Without a mapping it is the
// host itself. With one, a host without an entry is an *UnmappedHostError,
// unless it is itself one of the public addresses.
func MapHost(mapping map[string]string, private string) (string, error) {
	if len(mapping) == 0 {
		return private, nil
	}
	if public, ok := mapping[private]; ok && public != "" {
		return public, nil
	}
	for _, public := range mapping {
		if public == private {
			return private, nil
		}
	}
	return "", &UnmappedHostError{Host: private}
}
