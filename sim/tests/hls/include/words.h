// Several elements in one stream word.
#ifndef WORDS_H
#define WORDS_H

template <class T, unsigned N>
struct words {
    typedef T value_type;
    T data[N];
    T& operator[](unsigned i) { return data[i]; }
    const T& operator[](unsigned i) const { return data[i]; }
};

#endif
