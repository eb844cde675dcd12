  netfold_round_clip #(
      .SUM_BITS({{ c.sum_bits }}),
      .SHIFT({{ c.shift }}),
      .HALF_EVEN({{ c.half_even }}),
      .WRAP({{ c.wrap }}),
      .WRAP_BITS({{ c.wrap_bits }}),
      .WRAP_SIGNED({{ c.wrap_signed }}),
      .OUT_BITS({{ c.out_bits }}),
      .V_BITS({{ c.v_bits }}),
      .CLIP_LO({{ c.clip_lo }}),
      .CLIP_HI({{ c.clip_hi }}),
      .LO({{ c.lo }}),
      .HI({{ c.hi }})
  ) {{ instance }} (
      .clk(clk),
      .sum({{ sum }}),
      .y({{ y }})
  );
