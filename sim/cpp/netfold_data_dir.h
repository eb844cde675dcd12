// The folder that the running model's relative file names are read from.
#ifndef NETFOLD_DATA_DIR_H
#define NETFOLD_DATA_DIR_H

namespace netfold {
extern thread_local const char* data_dir;
}

#endif
