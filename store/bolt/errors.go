package bolt

import (
	"errors"
	"fmt"
	"io/fs"

	"fever/store"
)

func locked(path string) error {
	return fmt.Errorf("%s is %w; stop it or use another --db", path, store.ErrLocked)
}

func foreign(path, reason string) error {
	return fmt.Errorf("%s is %w (%s); it was left as it is: use another --db", path, store.ErrForeign, reason)
}

func newer(path string, format uint64) error {
	return fmt.Errorf("%s is %w (format %d, this one knows %d); upgrade fever or use another --db", path, store.ErrNewer, format, formatVersion)
}

func damaged(path, reason string) error {
	return fmt.Errorf("%s is %w (%s); restore it from a backup, or move it away to start with an empty one", path, store.ErrDamaged, reason)
}

// unopened says that the file could not be opened, for a reason that names it.
func unopened(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("open the store: %w; let this user read and write it, or use another --db", err)
	}
	return fmt.Errorf("open the store: %w", err)
}
