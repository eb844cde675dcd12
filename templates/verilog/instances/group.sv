  // Group of channels of the beat.
  wire [{{ bits - 1 }}:0] group;
  wire group_first, group_last;
  netfold_counter #(
      .N({{ groups }})
  ) u_group (
      .clk(clk),
      .rst(rst),
      .step(in0_take),
      .value(group),
      .first(group_first),
      .last(group_last)
  );
  wire unused_group = &{1'b0, group, group_first, group_last};
