  // Lane {{ lane }}: base plus or minus the count.
{{ rom.declaration }}  wire [{{ rom.width - 1 }}:0] end{{ lane }};
  netfold_rom #(
      {{ rom.parameters }},
      .REGISTERED(0)
  ) u_end{{ lane }} (
      .clk(clk),
      .en(1'b1),
      .addr({{ group }}),
      .data(end{{ lane }})
  );
  reg [{{ out_bits - 1 }}:0] y{{ lane }};
  always @(posedge clk)
    y{{ lane }} <= end{{ lane }}[{{ out_bits }}] ? end{{ lane }}[{{ out_bits - 1 }}:0] + {{ out_bits }}'({{ found }}) : end{{ lane }}[{{ out_bits - 1 }}:0] - {{ out_bits }}'({{ found }});
  assign {{ y }} = y{{ lane }};
  wire unused_lane{{ lane }} = &{1'b0, {{ x }}};
