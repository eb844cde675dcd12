  netfold_thresholds #(
      .N({{ n }}),
      .BITS({{ bits }}),
      .OUT_BITS({{ out_bits }})
  ) u_lane{{ lane }} (
      .clk(clk),
      .x({{ x }}),
      .thresholds({{ thresholds }}),
      .base({{ base }}),
      .up({{ up }}),
      .y({{ y }})
  );
