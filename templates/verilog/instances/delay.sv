  netfold_delay #(
      .WIDTH({{ width }}),
      .STAGES({{ stages }})
  ) {{ instance }} (
      .clk(clk),
      .rst(rst),
      .d({{ d }}),
      .q({{ q }})
  );
