// All layers of netfold's HLS library.
#ifndef NETFOLD_HLS_LAYERS_H
#define NETFOLD_HLS_LAYERS_H

#include "activation.h"
#include "combine.h"
#include "dense.h"
#include "pixels.h"
#include "program.h"
#include "reduce.h"
#include "reshape.h"
#include "window.h"

#endif
