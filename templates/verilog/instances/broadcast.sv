  wire [{{ x_width - 1 }}:0] x;
  wire [{{ s_width - 1 }}:0] s;
  netfold_broadcast #(
      .BEATS({{ beats }}),
      .X_WIDTH({{ x_width }}),
      .S_WIDTH({{ s_width }}),
      .LATENCY({{ latency }})
  ) u_broadcast (
      .clk(clk),
      .rst(rst),
      .x_valid(in0_valid),
      .x_take(in0_take),
      .x_data(in0_data),
      .s_valid(in1_valid),
      .s_take(in1_take),
      .s_data(in1_data),
      .out_space(out0_space),
      .out_reserve(out0_reserve),
      .out_put(out0_put),
      .x(x),
      .s(s)
  );
