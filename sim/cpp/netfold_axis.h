// Drivers and checkers of AXI4-Stream ports of a Verilated model.
//
// A cycle has two halves. With the clock low the model settles on what the drivers offer, and every port looks at the handshake
// (`sample`); then the clock rises, and every port decides what it offers next (`advance`).
#ifndef NETFOLD_AXIS_H
#define NETFOLD_AXIS_H

#include <cstdint>
#include <cstring>
#include <vector>

#include "netfold_report.h"
#include "verilated.h"

namespace netfold {

// Decides cycle by cycle whether a port may offer (input) or accept (output) a beat.
//
// The numbers come from SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014), seeded
// with the run's seed and the port's index. Time is cut into phases of 1 to 64 cycles; each phase draws one of seven
// probabilities, from always stalled over even to never stalled.
class Gate {
  public:
    Gate(bool stalls, std::uint64_t seed, std::uint64_t port) : stalls_(stalls), state_(seed * 0x2545F4914F6CDD1DULL + port) {}

    bool open() {
        if (!stalls_) return true;
        if (left_ == 0) {
            static constexpr std::uint8_t kSixteenths[7] = {0, 1, 4, 8, 12, 15, 16};
            const std::uint64_t draw = next();
            left_ = 1 + draw % 64;
            sixteenths_ = kSixteenths[(draw >> 32) % 7];
        }
        --left_;
        return (next() >> 60) < sixteenths_;
    }

    std::uint32_t noise() { return static_cast<std::uint32_t>(next()); }
    bool stalls() const { return stalls_; }

  private:
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ULL);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        return z ^ (z >> 31);
    }

    bool stalls_;
    std::uint64_t state_;
    std::uint64_t left_ = 0;
    std::uint64_t sixteenths_ = 16;
};

// Shape of a stream; bits and counts are at least 1.
struct Shape {
    unsigned element_bits;
    bool is_signed;
    std::uint64_t elements_per_beat;
    std::uint64_t beats_per_frame;

    std::uint64_t data_bits() const { return element_bits * elements_per_beat; }
    std::uint64_t padded_bits() const { return (data_bits() + 7) / 8 * 8; }
    std::size_t words() const { return static_cast<std::size_t>((padded_bits() + 31) / 32); }
    std::uint64_t elements() const { return elements_per_beat * beats_per_frame; }
};

template <class Small>
inline void put(Small& port, const std::uint32_t* words, std::size_t) {
    port = static_cast<Small>(words[0]);
}
inline void put(QData& port, const std::uint32_t* words, std::size_t) {
    port = words[0] | (static_cast<QData>(words[1]) << 32);
}
template <std::size_t N>
inline void put(VlWide<N>& port, const std::uint32_t* words, std::size_t) {
    for (std::size_t i = 0; i < N; ++i) port[i] = words[i];
}
template <class Small>
inline void get(const Small& port, std::uint32_t* words) {
    words[0] = port;
}
inline void get(const QData& port, std::uint32_t* words) {
    words[0] = static_cast<std::uint32_t>(port);
    words[1] = static_cast<std::uint32_t>(port >> 32);
}
template <std::size_t N>
inline void get(const VlWide<N>& port, std::uint32_t* words) {
    for (std::size_t i = 0; i < N; ++i) words[i] = port[i];
}

// Offers the beats of all frames; once offered, a beat stays until it is taken (AMBA AXI4-Stream, 2.2.1).
template <class Data>
class InputStream {
  public:
    InputStream(CData& valid, const CData& ready, CData& last, Data& data, const Shape& shape, const std::int64_t* values,
                const RunRequest& request, std::uint32_t port)
        : valid_(valid), ready_(ready), last_(last), data_(data), shape_(shape), next_(values), first_(request.first_input),
          beats_(request.beats[port]), total_(request.frames * shape.beats_per_frame),
          gate_(request.stalls, request.stall_seed, port), words_(shape.words() + 2) {}

    void reset() {
        valid_ = 0;
        last_ = 0;
    }

    bool sample(std::uint64_t cycle) {
        fired_ = valid_ != 0 && ready_ != 0;
        if (!fired_) return false;
        if (beat_ == 0 && cycle < first_[frame_]) first_[frame_] = cycle;
        if (++beat_ == shape_.beats_per_frame) {
            beat_ = 0;
            ++frame_;
        }
        ++beats_;
        return true;
    }

    void advance() {
        const bool open = gate_.open();
        if (valid_ != 0 && !fired_) return;
        if (beats_ == total_ || !open) {
            valid_ = 0;
            if (gate_.stalls()) scramble();
            return;
        }
        valid_ = 1;
        last_ = beat_ + 1 == shape_.beats_per_frame;
        std::memset(words_.data(), 0, words_.size() * sizeof(std::uint32_t));
        std::uint64_t at = 0;
        for (std::uint64_t i = 0; i < shape_.elements_per_beat; ++i, at += shape_.element_bits)
            pack_bits(words_.data(), at, shape_.element_bits, *next_++);
        put(data_, words_.data(), shape_.words());
    }

    bool done() const { return beats_ == total_; }

  private:
    // tdata and tlast mean nothing while tvalid is low: noise there finds a design that listens all the same.
    void scramble() {
        std::memset(words_.data(), 0, words_.size() * sizeof(std::uint32_t));
        std::uint64_t at = 0;
        for (std::uint64_t left = shape_.padded_bits(); left > 0;) {
            const unsigned bits = left < 32 ? static_cast<unsigned>(left) : 32;
            pack_bits(words_.data(), at, bits, gate_.noise());
            at += bits;
            left -= bits;
        }
        put(data_, words_.data(), shape_.words());
        last_ = gate_.noise() & 1;
    }

    CData& valid_;
    const CData& ready_;
    CData& last_;
    Data& data_;
    const Shape shape_;
    const std::int64_t* next_;
    std::uint64_t* const first_;
    std::uint64_t& beats_;
    const std::uint64_t total_;
    Gate gate_;
    std::vector<std::uint32_t> words_;
    std::uint64_t beat_ = 0;
    std::uint64_t frame_ = 0;
    bool fired_ = false;
};

// Accepts beats, checks the protocol and stores the elements.
template <class Data>
class OutputStream {
  public:
    OutputStream(const CData& valid, CData& ready, const CData& last, const Data& data, const Shape& shape,
                 std::int64_t* values, const RunRequest& request, RunReply& reply, std::uint32_t inputs, std::uint32_t port)
        : valid_(valid), ready_(ready), last_(last), data_(data), shape_(shape), next_(values), last_output_(request.last_output),
          beats_(request.beats[inputs + port]), total_(request.frames * shape.beats_per_frame), reply_(reply), port_(port),
          gate_(request.stalls, request.stall_seed, inputs + port), words_(shape.words() + 2), held_words_(shape.words() + 2) {}

    void reset() { ready_ = 0; }

    bool sample(std::uint64_t cycle) {
        if (valid_ == 0) {
            if (held_) add_violation(reply_, ViolationKind::kValidDropped, port_, cycle, beats_);
            held_ = false;
            return false;
        }
        const bool fired = ready_ != 0;
        if (fired || !held_) get(data_, words_.data());
        if (held_) {
            if (!fired) get(data_, words_.data());
            if (words_ != held_words_ || last_ != held_last_)
                add_violation(reply_, ViolationKind::kDataChanged, port_, cycle, beats_);
        }
        if (!fired) {
            held_ = true;
            held_words_ = words_;
            held_last_ = last_;
            return false;
        }
        held_ = false;
        if (beats_ == total_) {
            add_violation(reply_, ViolationKind::kExtraBeat, port_, cycle, beats_);
            return false;
        }
        take(cycle);
        return true;
    }

    void advance() { ready_ = gate_.open(); }

    bool done() const { return beats_ == total_; }

  private:
    void take(std::uint64_t cycle) {
        std::uint64_t at = 0;
        for (std::uint64_t i = 0; i < shape_.elements_per_beat; ++i, at += shape_.element_bits)
            *next_++ = unpack_bits(words_.data(), at, shape_.element_bits, shape_.is_signed);
        const std::uint64_t padding = shape_.padded_bits() - at;
        if (padding != 0 && unpack_bits(words_.data(), at, static_cast<unsigned>(padding), false) != 0)
            add_violation(reply_, ViolationKind::kPadding, port_, cycle, beats_);
        const bool end = beat_ + 1 == shape_.beats_per_frame;
        if (end && last_ == 0) add_violation(reply_, ViolationKind::kLastMissing, port_, cycle, beats_);
        if (!end && last_ != 0) add_violation(reply_, ViolationKind::kLastEarly, port_, cycle, beats_);
        ++beat_;
        ++beats_;
        if (end) {
            if (cycle > last_output_[frame_]) last_output_[frame_] = cycle;
            beat_ = 0;
            ++frame_;
        }
    }

    const CData& valid_;
    CData& ready_;
    const CData& last_;
    const Data& data_;
    const Shape shape_;
    std::int64_t* next_;
    std::uint64_t* const last_output_;
    std::uint64_t& beats_;
    const std::uint64_t total_;
    RunReply& reply_;
    const std::uint32_t port_;
    Gate gate_;
    std::vector<std::uint32_t> words_;
    std::vector<std::uint32_t> held_words_;
    CData held_last_ = 0;
    bool held_ = false;
    std::uint64_t beat_ = 0;
    std::uint64_t frame_ = 0;
};

}  // namespace netfold

#endif
